/** What every line that is understood at least is. */
export interface Message {
  readonly type: string;
  readonly subtype?: unknown;
  readonly isReplay?: unknown;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** What stands before a value: an opening bracket or brace, or a comma. */
const BEFORE_VALUE: ReadonlySet<number> = new Set([0x5b, 0x7b, 0x2c]);

/**
 * A parsed value takes some 60 bytes however short it is: a line of 32 MiB of the shortest took 680 MB and two seconds
 * (measured). So many take 30 MB; the CLI was not seen to print a hundredth of it.
 */
export const MAX_VALUES = 500_000;

/** Whether a line has too many values to be parsed. Its texts, however long, are one value each. */
export function isIntricate(bytes: Uint8Array): boolean {
  if (bytes.length < MAX_VALUES) return false;
  let values = 0;
  let isText = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === QUOTE) isText = !isText;
    else if (isText) i += byte === BACKSLASH ? 1 : 0;
    else if (BEFORE_VALUE.has(byte) && ++values > MAX_VALUES) return true;
  }
  return false;
}

/** A line as text. What is no UTF-8 becomes U+FFFD. */
export function decodeLine(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

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
