import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { ChainCheck } from "../../src/audit/chain-check.ts";
import { findHead, rawKey } from "../../src/audit/head.ts";
import { readKey } from "../../src/audit/key-file.ts";
import { collect } from "../support/events.ts";
import { connect } from "../support/protocols.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";

const CLOCK = fileURLToPath(new URL("../fixtures/set-clock.cjs", import.meta.url));
const LONGEST_MS = 120_000;
const DAY_MS = 86_400_000;

async function runTurn(url: string): Promise<string> {
  using connection = connect(url);
  const [first] = await collect(connection.client.runTurn({ prompt: "bash true\nresult done" }));
  return first!.turnId;
}

async function exported(url: string): Promise<string[]> {
  using connection = connect(url);
  const lines: string[] = [];
  for await (const { records } of connection.client.exportAudit({})) lines.push(...records);
  return lines;
}

it(
  "a clock that is set back and forth changes no order, and the chain and its heads stay right",
  async () => {
    await using environment = await createTestEnvironment();
    const [clock, heads] = ["clock", "heads"].map((name) => join(environment.root, name)) as [
      string,
      string,
    ];
    const variables = {
      ...environment.variables,
      BREAKGLASS_AUDIT_HEADS_FILE: heads,
      TEST_CLOCK_FILE: clock,
    };
    const prefix = ["env", `NODE_OPTIONS=--require=${CLOCK}`];
    const turns: string[] = [];
    let lines: string[] = [];
    for (const days of [0, -3, 30, -60]) {
      await writeFile(clock, String(days * DAY_MS));
      await using server = await startServeProcess(variables, prefix);
      turns.push(await runTurn(server.url));
      // While it runs, too: back, and further on than it was.
      for (const more of [-2, 5]) {
        await writeFile(clock, String((days + more) * DAY_MS));
        turns.push(await runTurn(server.url));
      }
      lines = await exported(server.url);
      expect(await server.end("SIGTERM")).toBe(0);
    }
    const key = rawKey(readKey(join(environment.root, "data", "audit-key.pem")));
    const told = (await readFile(heads, "utf8")).trim().split("\n");
    const signed = told.flatMap((line) => findHead(line) ?? []);
    // The last of them, of the last server's end, is ahead of what was exported.
    const check = new ChainCheck({ heads: signed.slice(0, -1), keys: [key] });
    const records = lines.map((line) => check.take(line));
    check.end();
    expect(signed).toHaveLength(4);
    expect(records.map(({ sequence }) => sequence)).toEqual(records.map((_, index) => index + 1));
    const ofTurns = records.flatMap(({ kind, turn_id: id }) =>
      id === undefined ? [] : [[id, kind]],
    );
    const kinds = ["turn_started", "tools_called", "turn_ended"];
    expect(ofTurns).toEqual(turns.flatMap((id) => kinds.map((kind) => [id, kind])));
    const times = records.map(({ time }) => Date.parse(time));
    const steps = times.slice(1).map((time, index) => time - times[index]!);
    // The clock was set, and shows.
    expect(Math.min(...steps)).toBeLessThan(-20 * DAY_MS);
    expect(Math.max(...steps)).toBeGreaterThan(20 * DAY_MS);
  },
  LONGEST_MS,
);
