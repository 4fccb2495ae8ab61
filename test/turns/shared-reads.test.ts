import { describe, expect, it } from "vitest";
import { type EventSource, SharedReads } from "../../src/turns/shared-reads.ts";

/** A turn of ten events of a byte, as a store gives them: views of one piece of memory. */
function source() {
  const asked: number[] = [];
  const events: EventSource = {
    async readEvents(_turnId, afterSequence) {
      asked.push(afterSequence);
      const bytes = Uint8Array.from({ length: 10 - afterSequence }, (_, n) => afterSequence + n);
      return Array.from(bytes, (_, n) => bytes.subarray(n, n + 1));
    },
  };
  return { asked, reads: new SharedReads(events) };
}

const numbers = (events: readonly Uint8Array[]) => events.map(([first]) => first);

describe("events that several readers read", () => {
  it("are asked for once where they ask at the same time", async () => {
    const { asked, reads } = source();
    const [one, two] = await Promise.all([1, 2].map(() => reads.readEvents("t", 8, 100)));
    expect(numbers(one!)).toEqual([8, 9]);
    expect(numbers(two!)).toEqual([8, 9]);
    expect(asked).toEqual([8]);
  });

  it("are in memory once for as long as a part of them is held", async () => {
    const { asked, reads } = source();
    const [first] = await reads.readEvents("t", 3, 100);
    const again = await reads.readEvents("t", 3, 100);
    expect(numbers(again)).toEqual([3, 4, 5, 6, 7, 8, 9]);
    expect(again[0]!.buffer).toBe(first!.buffer);
    expect(asked).toEqual([3]);
  });

  it("are each turn's, from each place on", async () => {
    const { asked, reads } = source();
    await reads.readEvents("t", 3, 100);
    await reads.readEvents("u", 3, 100);
    await reads.readEvents("t", 4, 100);
    expect(asked).toEqual([3, 3, 4]);
  });

  it("are asked for again where the store had none, or failed", async () => {
    const asked: number[] = [];
    const answers = [[], new Error("the disk is full"), [new Uint8Array([1])]];
    const reads = new SharedReads({
      async readEvents(_turnId, afterSequence) {
        asked.push(afterSequence);
        const answer = answers.shift()!;
        if (answer instanceof Error) throw answer;
        return answer;
      },
    });
    expect(await reads.readEvents("t", 0, 100)).toEqual([]);
    await expect(reads.readEvents("t", 0, 100)).rejects.toThrow("the disk is full");
    expect(numbers(await reads.readEvents("t", 0, 100))).toEqual([1]);
    expect(asked).toEqual([0, 0, 0]);
  });
});
