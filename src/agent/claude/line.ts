/** What every line that is understood at least is. */
export interface Message {
  readonly type: string;
  readonly subtype?: unknown;
  readonly isReplay?: unknown;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** So far behind an escaped quote a text is looked at byte by byte: there are more where there is one. */
const ESCAPED_BYTES = 1024;
/** 1 for what stands before a value: an opening bracket or brace, or a comma. A set takes five times as long. */
const BEFORE_VALUE = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number("[{,".includes(String.fromCharCode(byte))),
);

/**
 * A parsed value takes some 60 bytes however short it is: a line of 32 MiB of the shortest took 680 MB and two seconds
 * (measured). So many take 3 MB and some 10 ms; the CLI was not seen to print a tenth of it.
 */
export const MAX_VALUES = 50_000;

/** Whether a line has too many values to be parsed. Its texts, however long, are one value each. */
export function isIntricate(bytes: Uint8Array): boolean {
  if (bytes.length < MAX_VALUES) return false;
  let values = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === QUOTE) i = endOfText(bytes, i);
    else if (BEFORE_VALUE[byte] === 1 && ++values > MAX_VALUES) return true;
  }
  return false;
}

/** Where the quote is that ends the text that begins at `start`; the line's end where there is none. */
function endOfText(bytes: Uint8Array, start: number): number {
  for (let i = start + 1; i < bytes.length; ) {
    // Texts of megabytes mostly have no escapes, and are passed over at once.
    const quote = bytes.indexOf(QUOTE, i);
    if (quote === -1) return bytes.length;
    if (bytes[quote - 1] !== BACKSLASH) return quote;
    for (const end = quote + ESCAPED_BYTES; i < end; i++) {
      if (bytes[i] === BACKSLASH) i++;
      else if (bytes[i] === QUOTE) return i;
    }
  }
  return bytes.length;
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
