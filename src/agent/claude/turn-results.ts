import {
  type ErrorEvent,
  ErrorReason,
  type ResultEvent,
} from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind, Spending } from "../agent.ts";
import { errorEvent } from "../events.ts";
import type { ResultMessage } from "./messages.ts";
import { addResults, earlierResult } from "./result.ts";
import type { TokenCount } from "./token-count.ts";

/** What a result means to its turn: its end, its end because it was interrupted, or only that more is to come. */
export type ResultRole = "end" | "interrupted" | "more";

/** The results of one turn, of which the last ends it, and what they say of its usage and cost. */
export class TurnResults {
  readonly #tokens: TokenCount;
  /** What a result means. Unset: the first is the end. */
  readonly #roleOf: ((result: ResultMessage) => ResultRole) | undefined;
  /** Those that were not the turn's end, as one. */
  #earlier: ResultEvent | undefined;
  #last: ResultEvent | undefined;

  constructor(tokens: TokenCount, roleOf: ((result: ResultMessage) => ResultRole) | undefined) {
    this.#tokens = tokens;
    this.#roleOf = roleOf;
  }

  /** The turn's last result came. */
  get ended(): boolean {
    return this.#last !== undefined;
  }

  /** Usage and cost as far as they are known: the results', or else the sum over the model's messages. */
  get spending(): Spending {
    const known = this.#last ?? this.#earlier;
    if (known === undefined) {
      const { usage } = this.#tokens;
      return { ...(usage && { usage }), totalCostUsd: 0 };
    }
    const { totalCostUsd } = known;
    // An interrupted turn's result says 0 of everything.
    const told = known.usage?.inputTokens || known.usage?.outputTokens ? known.usage : undefined;
    const usage = told ?? this.#tokens.usage ?? known.usage;
    return { ...(usage && { usage }), totalCostUsd };
  }

  /** Takes a result, and appends the turn's terminal event where it is the last. */
  add(parsed: ResultMessage, event: ResultEvent, into: EventKind[]): void {
    const role = this.#roleOf?.(parsed) ?? "end";
    const all = this.#earlier === undefined ? event : addResults(this.#earlier, event);
    if (role === "more") {
      this.#earlier = earlierResult(all);
      return;
    }
    this.#last = all;
    if (role === "end") into.push({ case: "result", value: this.#last });
    else into.push({ case: "error", value: interruption(this.spending) });
  }
}

/** The end of a turn that the agent stopped because it was asked to. */
export function interruption(spending: Spending): ErrorEvent {
  const text = "The turn was interrupted; what the agent had done until then is done";
  return { ...errorEvent(ErrorReason.CANCELED, text), ...spending };
}
