import type { Conversation } from "./conversation.ts";
import { usageAnswer } from "./messages.ts";

type Watched = Pick<Conversation, "control" | "costs" | "opening">;

/**
 * What a turn has cost while it runs: the CLI is asked for its total, which its results have too (both versions answer within
 * some 15 ms).
 *
 * 1. What the conversation had cost before the turn is none of it: where that is not known the CLI is asked for it first, and
 *    takes the prompt up behind its answer. Where it does not say, the turn's cost stays unknown until its result.
 * 2. It is asked once at a time; what happens meanwhile is asked for behind that.
 * 3. Once the turn is over nothing is asked.
 */
export class CostWatch {
  readonly #conversation: Watched;
  readonly #told: () => void;
  readonly #before: Promise<number | undefined>;
  #costUsd = 0;
  #state: "idle" | "asking" | "stale" | "over" = "idle";

  /** @param told - Called whenever the turn is known to have cost more. */
  constructor(conversation: Watched, told: () => void) {
    this.#conversation = conversation;
    this.#told = told;
    const { costs, opening } = conversation;
    const known = costs.total ?? (opening === "new" ? 0 : undefined);
    this.#before = known === undefined ? this.#ask(false) : Promise.resolve(known); // 1.
  }

  /** In US dollars, as far as it is known. */
  get costUsd(): number {
    return this.#costUsd;
  }

  /** The model may have been called. */
  look(): void {
    if (this.#state === "asking") this.#state = "stale";
    if (this.#state === "idle") void this.#look();
  }

  /** The turn is over. */
  close(): void {
    this.#state = "over";
  }

  async #look(): Promise<void> {
    this.#state = "asking"; // 2.
    const before = await this.#before;
    if (before === undefined) return;
    do {
      if (this.#isOver) return; // 3.
      this.#state = "asking";
      const total = await this.#ask(true);
      if (!this.#isOver && total !== undefined && total - before > this.#costUsd) {
        this.#costUsd = total - before;
        this.#told();
      }
    } while (this.#isStale);
    if (!this.#isOver) this.#state = "idle";
  }

  get #isStale(): boolean {
    return this.#state === "stale";
  }

  get #isOver(): boolean {
    return this.#state === "over";
  }

  /** @param detached - What is written behind it is not to wait for the answer. */
  async #ask(detached: boolean): Promise<number | undefined> {
    const request = { subtype: "get_usage", skip_behaviors: true, detached } as const;
    const { data } = usageAnswer.safeParse(await this.#conversation.control(request));
    return data?.session.total_cost_usd;
  }
}
