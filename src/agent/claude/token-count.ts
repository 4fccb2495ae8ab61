import type { Usage } from "../../../gen/breakglass/v1/event_pb.ts";
import type { UsageCount } from "./messages.ts";
import { toFinite, toUint64 } from "./numbers.ts";

/** Blocks of one message come close together, interleaved with those of a few subagents at most. */
const OPEN_MESSAGES = 64;

/** A `Usage` of what the CLI says of one. */
export function usageOf(count: UsageCount): Usage {
  return {
    $typeName: "breakglass.v1.Usage",
    inputTokens: toUint64(toFinite(count.input_tokens)),
    outputTokens: toUint64(toFinite(count.output_tokens)),
    cacheReadInputTokens: toUint64(toFinite(count.cache_read_input_tokens)),
    cacheCreationInputTokens: toUint64(toFinite(count.cache_creation_input_tokens)),
  };
}

/** The sum of several. */
export function addUsages(usages: readonly Usage[]): Usage {
  const sum = (count: (usage: Usage) => bigint) =>
    usages.reduce((total, usage) => total + count(usage), 0n);
  return {
    $typeName: "breakglass.v1.Usage",
    inputTokens: sum((usage) => usage.inputTokens),
    outputTokens: sum((usage) => usage.outputTokens),
    cacheReadInputTokens: sum((usage) => usage.cacheReadInputTokens),
    cacheCreationInputTokens: sum((usage) => usage.cacheCreationInputTokens),
  };
}

/** Sums the tokens of the model's messages, for a turn whose result never comes. */
export class TokenCount {
  #total: readonly number[] | undefined;
  /** What was counted of the newest messages: each block of a message repeats the message's usage. */
  readonly #counted = new Map<string, readonly number[]>();

  /** Counts a message, or what a further block of it says. */
  add(messageId: string, usage: UsageCount): void {
    const count = numbersOf(usage);
    const before = this.#counted.get(messageId);
    const total = [0, 0, 0, 0];
    for (let i = 0; i < 4; i++) total[i] = (this.#total?.[i] ?? 0) + count[i]! - (before?.[i] ?? 0);
    this.#total = total;
    if (messageId === "") return;
    if (before === undefined && this.#counted.size >= OPEN_MESSAGES) {
      const [oldest] = this.#counted.keys();
      this.#counted.delete(oldest!);
    }
    this.#counted.set(messageId, count);
  }

  /** The sum so far. Undefined: no message said. */
  get usage(): Usage | undefined {
    const total = this.#total;
    if (total === undefined) return undefined;
    return usageOf({
      input_tokens: total[0],
      output_tokens: total[1],
      cache_read_input_tokens: total[2],
      cache_creation_input_tokens: total[3],
    });
  }
}

function numbersOf(usage: UsageCount): readonly number[] {
  return [
    bounded(usage.input_tokens),
    bounded(usage.output_tokens),
    bounded(usage.cache_read_input_tokens),
    bounded(usage.cache_creation_input_tokens),
  ];
}
function bounded(n: unknown): number {
  return Math.min(Math.max(toFinite(n), 0), Number.MAX_SAFE_INTEGER);
}
