/** What every line that is understood at least is. */
export interface Message {
  readonly type: string;
  readonly subtype?: unknown;
  readonly isReplay?: unknown;
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
