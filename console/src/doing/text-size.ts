const encoder = new TextEncoder();

/** The size of a text as the server counts it: in bytes of UTF-8. */
export function bytesOf(text: string): number {
  return encoder.encode(text).length;
}
