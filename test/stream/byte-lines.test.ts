import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteLines } from "../../src/stream/byte-lines.ts";

type Piece = string | number;

/** What comes of chunks: a line as hex, or the length of one that was skipped. */
function read(chunks: readonly Uint8Array[], maxBytes: number): Piece[] {
  const seen: Piece[] = [];
  const lines = new ByteLines(maxBytes, {
    line: (bytes) => void seen.push(Buffer.from(bytes).toString("hex")),
    skipped: (length) => void seen.push(length),
  });
  for (const chunk of chunks) lines.push(chunk);
  lines.end();
  return seen;
}

/** The same, said as plainly as can be: all bytes at once, cut at newlines. */
function expected(chunks: readonly Uint8Array[], maxBytes: number): Piece[] {
  const lines = Buffer.concat(chunks).toString("hex").match(/../g)?.join(" ").split("0a") ?? [];
  const cut = lines.map((line) => line.replaceAll(" ", ""));
  if (cut.at(-1) === "") cut.pop();
  return cut.map((line) => (line.length / 2 > maxBytes ? line.length / 2 : line));
}

const byte = fc.oneof(fc.constant(0x0a), fc.integer({ min: 0, max: 255 }));
const chunk = fc.array(byte, { maxLength: 20 }).map((bytes) => Uint8Array.from(bytes));

describe("ByteLines", () => {
  it("cuts any bytes in any chunks where a newline is, and nowhere else", () => {
    const property = fc.property(
      fc.array(chunk, { maxLength: 20 }),
      fc.integer({ min: 1, max: 30 }),
      (chunks, maxBytes) => {
        expect(read(chunks, maxBytes)).toEqual(expected(chunks, maxBytes));
      },
    );
    fc.assert(property, { numRuns: 2000 });
  });

  it("gives the same lines however the bytes are cut", () => {
    const property = fc.property(chunk, chunk, (one, two) => {
      const whole = Buffer.concat([one, two]);
      const single = Array.from(whole, (value) => Uint8Array.of(value));
      expect(read(single, 10)).toEqual(read([whole], 10));
    });
    fc.assert(property, { numRuns: 1000 });
  });

  it("has a character whole that was split between chunks", () => {
    const bytes = Buffer.from("é…𝄞\n");
    const [line] = read(
      Array.from(bytes, (value) => Uint8Array.of(value)),
      100,
    );
    expect(Buffer.from(String(line), "hex").toString()).toBe("é…𝄞");
  });

  it("drops a line above its limit, however long, and tells how long it was", () => {
    const chunk = new Uint8Array(1024 * 1024).fill(0x78);
    const chunks = Array.from({ length: 512 }, () => chunk);
    expect(read([...chunks, Buffer.from("\nnext")], 1000)).toEqual([512 * 1024 * 1024, "6e657874"]);
  });
});
