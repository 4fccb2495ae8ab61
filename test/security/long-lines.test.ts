import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { said } from "../e2e/live-server.ts";
import { collect, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { longestHold, recordingHolds } from "../support/loop-holds.ts";
import { connect } from "../support/protocols.ts";
import { type ServeProcess, startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment, type TestEnvironment } from "../support/test-environment.ts";

// A line may have 32 MiB; read where everybody's requests are answered it would hold up all of them.

const KIB = 1024;
const MAX_EVENT_BYTES = 3 * KIB * KIB;

describe("a long line", () => {
  let environment: TestEnvironment;
  let server: ServeProcess;
  let holds: string;
  beforeAll(async () => {
    environment = await createTestEnvironment();
    holds = join(environment.root, "holds");
    server = await startServeProcess({ ...environment.variables, ...recordingHolds(holds) });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await environment[Symbol.asyncDispose]();
  });

  async function run(...steps: string[]) {
    using connection = connect(server.url);
    return await collect(connection.client.runTurn({ prompt: script(...steps) }));
  }

  function lineOf(text: string): string {
    const content = [{ type: "text", text }];
    return JSON.stringify({ type: "assistant", message: { id: "msg_1", content } });
  }

  it("keeps its place among others", async () => {
    const steps = Array.from({ length: 8 }, (_, n) => [`big ${(n + 1) * 200 * KIB}`, `say ${n}`]);
    const lengths = said(await run(...steps.flat())).map((text) => text.length);
    expect(lengths).toEqual(steps.flatMap((_, n) => [(n + 1) * 200 * KIB, 1]));
  });

  it("is not lost where it is the last that is printed, with or without an end", async () => {
    for (const end of ["", "\n"]) {
      const path = join(environment.root, "printed");
      const result = { type: "result", subtype: "success", result: "y".repeat(400 * KIB) };
      const lines = [lineOf("first"), lineOf("x".repeat(700 * KIB)), JSON.stringify(result)];
      await writeFile(path, lines.join("\n") + end);
      // What it has not written by its exit would be lost before it is printed.
      const events = await run(`play ${path}`, "pause 500", "exit 0");
      expect(said(events).map((text) => text.length)).toEqual([5, 700 * KIB]);
      expect(valuesOf(events, "result")[0]?.result).toHaveLength(400 * KIB);
    }
  });

  it("of several large blocks is as many events, each cut where it is too large", async () => {
    const path = join(environment.root, "blocks");
    const sizes = [MAX_EVENT_BYTES + 1000, 10, 2_000_000, 2_000_000];
    const content = sizes.map((size) => ({ type: "text", text: "x".repeat(size) }));
    await writeFile(path, `${JSON.stringify({ type: "assistant", message: { content } })}\n`);
    const texts = valuesOf(await run(`play ${path}`), "text");
    expect(texts.map(({ truncated }) => truncated)).toEqual([true, false, false, false]);
    expect(texts[0]!.totalBytes).toBe(BigInt(sizes[0]!));
    expect(texts.slice(1).map(({ text }) => text.length)).toEqual(sizes.slice(1));
  });

  it("holds nobody up", async () => {
    await run(`big ${300 * KIB}`);
    await longestHold(server.pid, holds);
    const path = join(environment.root, "hostile");
    // Of many texts, which would take some 100 ms to parse.
    const many = JSON.stringify({ type: "user", more: Array(40_000).fill("é".repeat(300)) });
    const lines = [`{${"x".repeat(20_000_000)}`, many, lineOf('\\"'.repeat(5_000_000))];
    await writeFile(path, `${lines.join("\n")}\n`);
    const events = await run(`play ${path}`, "say end");
    expect(said(events).at(-1)).toBe("end");
    expect((await longestHold(server.pid, holds)).cpuMs).toBeLessThan(45);
  });
});
