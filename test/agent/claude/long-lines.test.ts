import { describe, expect, it } from "vitest";
import { LongLines } from "../../../src/agent/claude/long-lines.ts";
import { createLog } from "../../../src/log.ts";
import { assistant } from "./lines.ts";

const KIB = 1024;

/** A line in memory as it is held in while it comes. */
function held(line: string): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.from(line);
  const memory = new ArrayBuffer(0, { maxByteLength: bytes.length + KIB });
  memory.resize(bytes.length + KIB);
  const all = new Uint8Array(memory);
  all.set(bytes);
  return new Uint8Array(memory, 0, bytes.length);
}

/** Parsed it takes more than the thread of a server may that takes only short lines. */
const TOO_MUCH = JSON.stringify({ type: "user", more: Array(49_000).fill("é€".repeat(1000)) });
const LINE = JSON.stringify(assistant("x".repeat(300 * KIB)));

function lines() {
  const logged: string[] = [];
  const log = createLog((line) => logged.push(line));
  return { logged, long: new LongLines(KIB, 1024 * KIB, log) };
}

async function read(long: LongLines, line: string) {
  const groups = await long.read(held(line));
  return groups.flatMap((give) => give());
}

describe("where the thread that reads long lines ends under one", () => {
  it("that line is told of, and those behind it are read", async () => {
    const { long, logged } = lines();
    const [lost, next] = await Promise.all([read(long, TOO_MUCH), read(long, LINE)]);
    expect(lost).toEqual([{ is: "refused", bytes: Buffer.byteLength(TOO_MUCH), cause: "thread" }]);
    expect(next).toMatchObject([{ is: "message", message: { type: "assistant" } }]);
    expect(logged).toEqual([
      expect.stringContaining("the thread that reads an agent's long lines"),
    ]);
  });

  it("a beginning is lost, and the next one is not", async () => {
    const { long } = lines();
    const lost = await long.isWhole(held(TOO_MUCH));
    expect(lost).toEqual({ isWhole: false, memory: undefined });
    expect((await long.isWhole(held(LINE))).isWhole).toBe(true);
  });
});

it("a beginning comes back as it was, with room for more, whole or not", async () => {
  const { long } = lines();
  for (const line of [LINE, LINE.slice(0, -1)]) {
    const { isWhole, memory } = await long.isWhole(held(line));
    expect(isWhole).toBe(line === LINE);
    expect(Buffer.from(memory!, 0, line.length).toString() === line).toBe(true);
    expect([memory!.resizable, memory!.byteLength]).toEqual([true, line.length + KIB]);
  }
});
