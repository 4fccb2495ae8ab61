/** The longest beginning of a text that takes at most so many bytes of UTF-8, cut between characters. */
export function cutText(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text;
  const kept = Buffer.alloc(Math.max(0, Math.min(maxBytes, text.length * 3)));
  const { read, written } = new TextEncoder().encodeInto(text, kept);
  return read === text.length ? text : kept.toString("utf8", 0, written);
}
