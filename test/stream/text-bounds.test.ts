import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteTail } from "../../src/stream/byte-tail.ts";
import { cutText } from "../../src/stream/cut-text.ts";

describe("cutText", () => {
  it("keeps the longest beginning that fits, cut between characters", () => {
    const property = fc.property(
      fc.string({ unit: "binary", maxLength: 50 }),
      fc.nat(120),
      (text, maxBytes) => {
        const cut = cutText(text, maxBytes);
        expect(text.startsWith(cut)).toBe(true);
        expect(cut.isWellFormed()).toBe(true);
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(maxBytes);
        const [next = ""] = text.slice(cut.length);
        const withNext = Buffer.byteLength(cut + next);
        expect(next === "" || withNext > maxBytes).toBe(true);
      },
    );
    fc.assert(property, { numRuns: 2000 });
  });
});

describe("ByteTail", () => {
  it("keeps the last bytes, however they come", () => {
    const property = fc.property(
      fc.array(fc.string()),
      fc.integer({ min: 1, max: 40 }),
      (parts, most) => {
        const tail = new ByteTail(most);
        for (const part of parts) tail.push(Buffer.from(part));
        expect(tail.text).toBe(Buffer.from(parts.join("")).subarray(-most).toString());
      },
    );
    fc.assert(property, { numRuns: 1000 });
  });
});
