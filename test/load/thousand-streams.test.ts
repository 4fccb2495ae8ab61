import { execFile, spawnSync } from "node:child_process";
import { open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { createBreakglassClient } from "#client";
import { openGrpcConnection } from "#client/node";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { eventually, processesWith } from "../support/processes.ts";
import { PROGRAM } from "../support/program.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment, MARKER } from "../support/test-environment.ts";
import { toldAtSignal } from "../support/told-by-signal.ts";

const TOOL = "ghz";
const isMissing = spawnSync(TOOL, ["--version"]).error !== undefined;
const lack = isMissing ? " (left out: no ghz on PATH; go -C test/tools install tool)" : "";
const AGENT = fileURLToPath(new URL("gated-agent.sh", import.meta.url));
const TELLER = fileURLToPath(new URL("memory-teller.ts", import.meta.url));
const STREAMS = 1000;
/** A connection takes 256 streams. */
const CONNECTIONS = 10;
const STARTED_WITHIN_MS = 100_000;
/** What is compiled and cached on the way; a turn that was kept, with its stream, would be more than 50 MB of a thousand. */
const MOST_GROWTH = 16e6;

it.skipIf(isMissing)(
  `a thousand turns at once are streamed to their results, and leave nothing behind${lack}`,
  async () => {
    const { root, variables, ...owned } = await createTestEnvironment({
      BREAKGLASS_AGENT_COMMAND: AGENT,
      BREAKGLASS_MAX_CONCURRENT_TURNS: String(STREAMS),
    });
    await using _environment = owned;
    const node = ["--expose-gc", `--import=${TELLER}`];
    await using server = await startServeProcess(variables, [], [...node, PROGRAM, "serve"]);
    const left = async () => {
      const told = (await toldAtSignal(server.pid, join(root, "memory"))) as NodeJS.MemoryUsage;
      return told.heapUsed + told.external;
    };
    const agents = () =>
      processesWith(MARKER, variables[MARKER]!).filter((pid) => pid !== server.pid);

    // What the first turns have the server load and compile is no growth.
    await streamAtOnce(server.url, root, 10);
    const before = await left();
    const report = await streamAtOnce(server.url, root, STREAMS);

    expect(report).toMatchObject({
      count: STREAMS,
      statusCodeDistribution: { OK: STREAMS },
      errorDistribution: {},
    });
    expect(await succeeded(server.url)).toBe(STREAMS + 10);
    expect(await eventually(agents, (found) => found.length === 0)).toEqual([]);
    const growth = await eventually(
      async () => (await left()) - before,
      (now) => now < MOST_GROWTH,
    );
    expect(growth).toBeLessThan(MOST_GROWTH);
  },
  180_000,
);

/** Has ghz start so many turns, which go on once all of them run; answers its report. */
async function streamAtOnce(url: string, home: string, streams: number): Promise<unknown> {
  const gate = join(home, "gate");
  const started = join(home, "agents");
  await rm(started, { force: true });
  await promisify(execFile)("mkfifo", [gate]);
  const ended = promisify(execFile)(
    TOOL,
    [
      "--insecure",
      "--call",
      `${BreakglassService.typeName}.RunTurn`,
      "--data",
      '{"prompt":"go"}',
      "--total",
      String(streams),
      "--concurrency",
      String(streams),
      "--connections",
      String(Math.min(CONNECTIONS, streams)),
      "--timeout",
      `${STARTED_WITHIN_MS}ms`,
      "--format",
      "json",
      new URL(url).host,
    ],
    { maxBuffer: 64e6 },
  );
  const running = async () => {
    const text = await readFile(started, "utf8").catch(() => "");
    return text.split("\n").length - 1;
  };
  const count = await eventually(running, (found) => found === streams, STARTED_WITHIN_MS);
  expect(count).toBe(streams);
  // Whoever waits to open it for reading goes on, and reads its end.
  await (await open(gate, "w")).close();
  const { stdout } = await ended;
  await rm(gate);
  return JSON.parse(stdout);
}

/** How many turns ended well, as the server has it on record. */
async function succeeded(url: string): Promise<number> {
  const connection = openGrpcConnection(url, undefined);
  const client = createBreakglassClient(connection.transport);
  let turns = 0;
  for (let pageToken = ""; ; ) {
    const page = await client.listTurns({ states: [TurnState.SUCCEEDED], pageToken });
    turns += page.turns.length;
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  connection.close();
  return turns;
}
