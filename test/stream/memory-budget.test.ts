import { describe, expect, it } from "vitest";
import { ByteLines } from "../../src/stream/byte-lines.ts";
import { MemoryBudget } from "../../src/stream/memory-budget.ts";

const MIB = 1024 * 1024;

describe("MemoryBudget", () => {
  it("grants up to the limit of a share, and to that of the whole", () => {
    const whole = new MemoryBudget(100);
    const [a, b] = [whole.share({ bytes: 80 }), whole.share({ bytes: 80 })];
    expect([a.take(81), a.take(80), a.take(1)]).toEqual([false, true, false]);
    expect([b.take(21), b.take(20), whole.taken]).toEqual([false, true, 100]);
    a.giveBack(30);
    expect([b.take(31), b.take(30), whole.taken]).toEqual([false, true, 100]);
  });

  it("has what is reserved for a share whatever the others took", () => {
    const whole = new MemoryBudget(100);
    expect(whole.share({ bytes: 100 }).take(100)).toBe(true);
    const share = whole.share({ bytes: 50, reserved: 10 });
    expect([share.take(10), share.take(1), whole.taken]).toEqual([true, false, 100]);
  });

  it("counts what is there already beyond every limit", () => {
    const whole = new MemoryBudget(100);
    const share = whole.share({ bytes: 50 });
    share.charge(120);
    expect([share.taken, whole.taken, share.take(1)]).toEqual([120, 120, false]);
  });

  it("has those give way who have more than who asks, the largest first", () => {
    const whole = new MemoryBudget(100);
    const shares = [50, 30, 20].map((bytes) => {
      const share = whole.share({ bytes: 100 });
      share.take(bytes);
      share.giveWay = () => share.giveBack(share.taken);
      return share;
    });
    const late = whole.share({ bytes: 100 });
    expect(late.take(15)).toBe(true);
    expect(shares.map(({ taken }) => taken)).toEqual([0, 30, 20]);
    expect(late.take(60)).toBe(false);
    expect(shares.map(({ taken }) => taken)).toEqual([0, 30, 20]);
  });

  it("counts nothing of a share that is closed", () => {
    const whole = new MemoryBudget(100);
    const share = whole.share({ bytes: 100 });
    const part = share.share({ bytes: 50 });
    part.take(40);
    share.close();
    part.giveBack(40);
    share.charge(10);
    expect(whole.taken).toBe(0);
  });
});

describe("ByteLines with a budget", () => {
  function reader(memory: MemoryBudget) {
    const seen: (number | string)[] = [];
    const lines = new ByteLines(
      8 * MIB,
      {
        line: (bytes) => void seen.push(bytes.length),
        skipped: (bytes, cause) => void seen.push(`${cause} ${bytes}`),
      },
      memory,
    );
    return { seen, lines };
  }

  it("drops a line that there is no memory for, and goes on with the next", () => {
    const memory = new MemoryBudget(2 * MIB);
    const { seen, lines } = reader(memory);
    for (let i = 0; i < 48; i++) lines.push(new Uint8Array(64 * 1024).fill(0x78));
    lines.push(Buffer.from("\nnext\n"));
    expect(seen).toEqual([`memory ${3 * MIB}`, 4]);
    expect(memory.taken).toBe(0);
  });

  it("never goes without a usual line", () => {
    const memory = new MemoryBudget(0);
    const { seen, lines } = reader(memory);
    for (let i = 0; i < 64; i++) lines.push(new Uint8Array(1024).fill(0x78));
    lines.push(Buffer.from("\n"));
    expect(seen).toEqual([64 * 1024]);
  });

  it("gives the memory of a long line back with its end, and takes no more than it is long", () => {
    const memory = new MemoryBudget(16 * MIB);
    const { seen, lines } = reader(memory);
    for (let i = 0; i < 64; i++) lines.push(new Uint8Array(64 * 1024).fill(0x78));
    expect(memory.taken).toBe(4 * MIB);
    lines.push(Buffer.from("\n"));
    expect([seen, memory.taken]).toEqual([[4 * MIB], 0]);
  });
});
