import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type BreakglassClient, createBreakglassClient } from "#client";
import { openGrpcConnection } from "#client/node";
import type { RunTurnRequestSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { Script } from "../../src/drill/script.ts";
import { type Pace, startScriptedModel } from "../../src/drill/scripted-model.ts";
import { type Service, startService } from "./service.ts";

const QUIET_MS = 500;
const QUIET_WITHIN_MS = 30_000;

/** The service with the real CLI, against a scripted model. */
export interface LiveService extends AsyncDisposable {
  readonly service: Service;
  readonly client: BreakglassClient;
  /** Runs a turn to its end. */
  run(request: MessageInitShape<typeof RunTurnRequestSchema>): Promise<LiveTurn>;
  /** The CLI's processes. */
  processes(): number[];
  /** Resolves once none of them has worked for half a second: those that start are up. */
  quiet(): Promise<void>;
}

/** What became of a turn. */
export interface LiveTurn {
  /** From the request to the first text, in milliseconds. Undefined: none came. */
  readonly firstTextMs: number | undefined;
  readonly events: readonly TurnEvent[];
  readonly sessionId: string;
}

/** Starts it in a scrubbed environment. */
export async function startLiveService(
  script: Script,
  settings: Readonly<Record<string, string>>,
  pace?: Pace,
): Promise<LiveService> {
  await using cleanup = new AsyncDisposableStack();
  const model = await startScriptedModel(script, pace);
  cleanup.defer(() => model.stop());
  const service = cleanup.use(
    await startService({
      ANTHROPIC_BASE_URL: model.url,
      ANTHROPIC_API_KEY: "made-up",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      IS_SANDBOX: "1",
      ...settings,
    }),
  );
  const connection = openGrpcConnection(service.url, undefined);
  cleanup.defer(() => connection.close());
  const client = createBreakglassClient(connection.transport);
  const owned = cleanup.move();
  const processes = () => childrenOf(service.pid);
  return {
    service,
    client,
    processes,
    run: (request) => runTurn(client, request),
    quiet: () => untilQuiet(processes),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function runTurn(
  client: BreakglassClient,
  request: MessageInitShape<typeof RunTurnRequestSchema>,
): Promise<LiveTurn> {
  const start = performance.now();
  let firstTextMs: number | undefined;
  const events: TurnEvent[] = [];
  for await (const { event } of client.runTurn(request)) {
    if (event?.kind.case === "text") firstTextMs ??= performance.now() - start;
    if (event !== undefined) events.push(event);
  }
  return { firstTextMs, events, sessionId: events[0]?.sessionId ?? "" };
}

async function untilQuiet(processes: () => number[]): Promise<void> {
  const deadline = performance.now() + QUIET_WITHIN_MS;
  for (let before = ""; performance.now() < deadline; ) {
    const now = JSON.stringify(processes().map((pid) => [pid, workedTicks(pid)]));
    if (now === before) return;
    before = now;
    await delay(QUIET_MS);
  }
  throw new Error("the agents do not come to rest");
}

function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => Number(statFields(pid)?.[1]) === parent);
}

/** The processor time that a process has had, in ticks. */
function workedTicks(pid: number): number {
  const fields = statFields(pid);
  return Number(fields?.[11]) + Number(fields?.[12]);
}

/** What stands behind a process's name in proc_pid_stat(5), from its state on. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
