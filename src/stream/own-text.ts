/**
 * A text in memory of its own, for one that is kept: V8 keeps the whole of a text alive for each part that was cut out of
 * it, and every piece of one that was put together. What is not well-formed becomes U+FFFD.
 */
export function ownText(text: string): string {
  // A short part is copied by V8 itself.
  return text.length < 13 ? text.toWellFormed() : Buffer.from(text).toString();
}
