/*
 * Bytes of JSON text, as far as it is looked at before it is parsed.
 */

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const OPENING_BRACKET = 0x5b;
export const BACKSLASH = 0x5c;
export const CLOSING_BRACKET = 0x5d;
export const OPENING_BRACE = 0x7b;
export const CLOSING_BRACE = 0x7d;

/** So far behind an escaped quote a text is looked at byte by byte: there are more where there is one. */
const ESCAPED_BYTES = 1024;

/** Where the quote is that ends a text whose next character is at `start`; the bytes' end where there is none. */
export function endOfText(bytes: Uint8Array, start: number): number {
  for (let i = start; i < bytes.length; ) {
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

/** Whether a byte is JSON's white space. */
export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0d || byte === 0x09 || byte === 0x0a;
}

const SCALAR = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number(/[a-zA-Z0-9+.-]/.test(String.fromCharCode(byte))),
);

/** Whether a byte can be a part of a number or of `true`, `false` and `null`; what is none of them the parser tells. */
export function isScalar(byte: number): boolean {
  return SCALAR[byte] === 1;
}

/** Bytes as text. What is no UTF-8 becomes U+FFFD. */
export function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
