import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { ByteLines } from "../../src/stream/byte-lines.ts";

type Piece = string | number;

/** What comes of chunks: a line as text, or the length of one that was skipped. */
function read(chunks: Iterable<Uint8Array>, maxBytes: number): Piece[] {
  const seen: Piece[] = [];
  const lines = new ByteLines(maxBytes, {
    line: (bytes) => void seen.push(Buffer.from(bytes).toString()),
    skipped: (length) => void seen.push(length),
  });
  for (const chunk of chunks) lines.push(chunk);
  lines.end();
  return seen;
}

describe("ByteLines", () => {
  it("has a character whole that was split between chunks", () => {
    const bytes = Buffer.from("é…𝄞\n");
    const single = Array.from(bytes, (value) => Uint8Array.of(value));
    expect(read(single, 100)).toEqual(["é…𝄞"]);
  });

  it("drops a line above its limit, however long, and tells how long it was", () => {
    const chunk = new Uint8Array(1024 * 1024).fill(0x78);
    const chunks = Array.from({ length: 512 }, () => chunk);
    expect(read([...chunks, Buffer.from("\nnext")], 1000)).toEqual([512 * 1024 * 1024, "next"]);
  });

  it("holds a line that comes byte by byte in little more memory than its bytes", () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const used = () => {
      collect();
      const { heapUsed, external, arrayBuffers } = process.memoryUsage();
      return heapUsed + external + arrayBuffers;
    };
    const lines = new ByteLines(1024 * 1024, { line: () => {}, skipped: () => {} });
    const before = used();
    for (let i = 0; i < 500_000; i++) lines.push(Uint8Array.of(0x78));
    // Each chunk by itself would cost about 200 bytes, 100 MB in all.
    expect(used() - before).toBeLessThan(16 * 1024 * 1024);
    lines.end();
  });
});
