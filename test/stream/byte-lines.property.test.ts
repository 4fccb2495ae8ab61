import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteLines } from "../../src/stream/byte-lines.ts";
import { anyBytes, anyChunks } from "../support/arbitrary-bytes.ts";

/** A line, each byte a character, or the length of one that was skipped. */
type Piece = string | number;

/** What comes of chunks. Each chunk's memory is overwritten once it was taken, as a socket's may be. */
function read(chunks: readonly Uint8Array[], maxBytes: number): Piece[] {
  const seen: Piece[] = [];
  const lines = new ByteLines(maxBytes, {
    line: (bytes) => void seen.push(Buffer.from(bytes).toString("latin1")),
    skipped: (length) => void seen.push(length),
  });
  for (const chunk of chunks) {
    const lent = Uint8Array.from(chunk);
    lines.push(lent);
    lent.fill(0x0a);
  }
  lines.end();
  return seen;
}

/** The same, said as plainly as can be: all bytes at once, cut at newlines. */
function expected(bytes: Uint8Array, maxBytes: number): Piece[] {
  const lines = Buffer.from(bytes).toString("latin1").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => (line.length > maxBytes ? line.length : line));
}

const limit = fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constantFrom(300, 1_000_000));

describe("ByteLines", () => {
  it("gives the lines of a plain reading of the whole, whatever the bytes and however they are cut", () => {
    const property = fc.property(anyChunks(), limit, (chunks, maxBytes) => {
      expect(read(chunks, maxBytes)).toEqual(expected(Buffer.concat(chunks), maxBytes));
    });
    fc.assert(property, { numRuns: 3000 });
  });

  it("does so for lines much longer than what it keeps room for", () => {
    const long = fc.tuple(fc.integer({ min: 0, max: 300_000 }), anyBytes(20));
    const property = fc.property(
      fc.array(long, { maxLength: 4 }),
      fc.constantFrom(1000, 65_536, 150_000, 10_000_000),
      fc.integer({ min: 1000, max: 70_000 }),
      (runs, maxBytes, step) => {
        const whole = Buffer.concat(runs.flatMap(([n, end]) => [Buffer.alloc(n, 0x78), end]));
        const count = Math.ceil(whole.length / step);
        const chunks = Array.from({ length: count }, (_, i) =>
          whole.subarray(i * step, (i + 1) * step),
        );
        expect(read(chunks, maxBytes)).toEqual(expected(whole, maxBytes));
      },
    );
    fc.assert(property, { numRuns: 100 });
  });
});
