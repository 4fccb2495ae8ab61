import { streamTurn, type Turn } from "@breakglass/client";
import { SvelteMap } from "svelte/reactivity";
import type { Account } from "../server/account.svelte.ts";
import { words } from "../words/words.ts";

/** Of a result so much is shown where its turn is folded. */
const SHOWN_CHARS = 600;

/** How turns ended, in their own last words: their last event is read, one turn after the other, where it is asked for. */
export class LastWords {
  readonly #account: Account;
  readonly #texts = new SvelteMap<string, string>();
  readonly #asked = new Set<string>();
  #reading: Promise<void> = Promise.resolve();

  constructor(account: Account) {
    this.#account = account;
  }

  /** Undefined: it has not been read. */
  of(turnId: string): string | undefined {
    return this.#texts.get(turnId);
  }

  /** Reads them of a turn that has ended, if they were not asked for before. */
  ask(turn: Turn, signal: AbortSignal): void {
    if (this.#asked.has(turn.turnId) || turn.lastSequence === 0) return;
    this.#asked.add(turn.turnId);
    this.#reading = this.#reading.then(() => this.#read(turn, signal));
  }

  async #read({ turnId, lastSequence }: Turn, signal: AbortSignal): Promise<void> {
    const attach = { turnId, afterSequence: lastSequence - 1 };
    try {
      if (signal.aborted) return;
      for await (const { kind } of streamTurn(this.#account.client, { attach }, { signal })) {
        if (kind.case === "result")
          this.#texts.set(turnId, kind.value.result.slice(0, SHOWN_CHARS));
        if (kind.case === "error") this.#texts.set(turnId, words.turn.error(kind.value.reason)[0]);
      }
    } catch {
      // It is told when the turn is opened.
    }
  }
}
