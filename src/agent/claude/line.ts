/** What every line that is understood at least is. */
export interface Message {
  readonly type: string;
  readonly subtype?: unknown;
  readonly isReplay?: unknown;
}

/** What the CLI prints, as far as it is known: what else is found beside other things is thrown away with them. */
export const KNOWN_TYPES: ReadonlySet<string> = new Set([
  "assistant",
  "command_lifecycle",
  "control_cancel_request",
  "control_request",
  "control_response",
  "conversation_reset",
  "rate_limit_event",
  "result",
  "stream_event",
  "system",
  "tool_progress",
  "user",
]);

/**
 * A parsed value takes some 60 bytes however short it is: a line of 32 MiB of the shortest took 680 MB and two seconds
 * (measured). So many take 3 MB and some 10 ms; the CLI was not seen to print a tenth of it.
 */
export const MAX_VALUES = 50_000;

/** A line as a message. Undefined: it is no JSON object with a `type`. */
export function parseMessage(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isMessage(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isMessage(value: unknown): value is Message {
  if (typeof value !== "object" || value === null) return false;
  return "type" in value && typeof value.type === "string";
}
