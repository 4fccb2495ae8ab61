import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteLines } from "../../src/stream/byte-lines.ts";
import { MemoryBudget } from "../../src/stream/memory-budget.ts";
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

  it("hands a long line over with its memory, and takes nothing behind it until it is asked to", () => {
    const lengths = fc.array(fc.oneof(fc.nat(100), fc.integer({ min: 60_000, max: 300_000 })), {
      maxLength: 6,
    });
    const step = fc.integer({ min: 1000, max: 400_000 });
    const cut = fc.record({ size: step, isEnded: fc.boolean(), isLent: fc.boolean() });
    const property = fc.property(lengths, cut, (lines, { size, isEnded, isLent }) => {
      const whole = lines.map((length, n) => String.fromCharCode(97 + n).repeat(length)).join("\n");
      const memory = new MemoryBudget(10_000_000);
      const seen: string[] = [];
      const handed: { bytes: Uint8Array; text: string; giveBack: () => void }[] = [];
      const sink = {
        line: (bytes: Uint8Array) => void seen.push(Buffer.from(bytes).toString()),
        long: (bytes: Uint8Array, giveBack: () => void) => {
          const text = Buffer.from(bytes).toString();
          seen.push(text);
          handed.push({ bytes, text, giveBack });
        },
        skipped: () => seen.push("skipped"),
      };
      const framing = new ByteLines(1_000_000, sink, memory, 100_000);
      const all = Buffer.from(isEnded ? `${whole}\n` : whole);
      for (let start = 0; start < all.length; start += size) {
        let rest = all.subarray(start, start + size);
        while (rest.length > 0) {
          const before = handed.length;
          rest = rest.subarray(framing.push(rest));
          expect(handed.length - before).toBeLessThanOrEqual(1);
          if (handed.length === before) expect(rest).toHaveLength(0);
          if (isLent) lendAndTakeBack(framing);
        }
      }
      framing.end();
      const expected = (isEnded ? whole : whole.replace(/\n$/, "")).split("\n");
      expect(seen.length).toBe(all.length === 0 ? 0 : expected.length);
      expect(seen.every((text, n) => text === expected[n])).toBe(true);
      // Nothing of it is used again.
      const kept = handed.filter(({ bytes, text }) => Buffer.from(bytes).toString() === text);
      expect(kept).toHaveLength(handed.length);
      for (const { giveBack } of handed) giveBack();
      expect(memory.taken).toBe(0);
    });
    fc.assert(property, { numRuns: 100 });
  });

  it("skips a line that is lost while it is lent, and no other", () => {
    const memory = new MemoryBudget(10_000_000);
    const seen: unknown[] = [];
    const sink = {
      line: (bytes: Uint8Array) => void seen.push(Buffer.from(bytes).toString()),
      long: () => seen.push("long"),
      skipped: (...skipped: unknown[]) => seen.push(skipped),
    };
    const framing = new ByteLines(1_000_000, sink, memory, 100_000);
    framing.push(Buffer.alloc(100_000));
    expect(framing.lend()).toBeUndefined();
    framing.push(Buffer.alloc(1));
    expect(framing.lend()).toHaveLength(100_001);
    framing.takeBack(undefined);
    expect(memory.taken).toBe(0);
    framing.push(Buffer.from("more\nshort\n"));
    expect(seen).toEqual([[100_005, "thread"], "short"]);
  });
});

/** As another thread has it meanwhile. */
function lendAndTakeBack(framing: ByteLines): void {
  const memory = framing.lend()?.buffer;
  if (memory !== undefined) framing.takeBack(structuredClone(memory, { transfer: [memory] }));
}
