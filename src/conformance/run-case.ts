import { randomUUID } from "node:crypto";
import type { ConformanceCase } from "./case.ts";
import { type JsonObject, SESSION_ID, TURN_ID } from "./case-messages.ts";
import { type CuttingProxy, startCuttingProxy } from "./cutting-proxy.ts";
import { type DriverInput, runDriver } from "./driver.ts";
import { DriverOutput } from "./driver-output.ts";
import type { FakeServer } from "./fake-server.ts";
import { judge } from "./judge.ts";
import { Meanwhile } from "./meanwhile.ts";
import { endedTurn, prepareTurn, type TurnIds, turnCount } from "./own-calls.ts";
import { type Relay, startRelay } from "./relay.ts";
import { canBeCut } from "./replica-servers.ts";

/** What a case is run with. */
export interface CaseRun {
  readonly tested: ConformanceCase;
  /** The client under test: a program and its arguments. */
  readonly command: readonly string[];
  /** `grpc`, `grpc-web` or `connect`. */
  readonly protocol: string;
  /** Gives the server; called where the case has a script. */
  readonly server: () => Promise<FakeServer>;
  /** Ends it, with all that it started. */
  readonly signal: AbortSignal;
}

/** How a case came out. */
export interface CaseResult {
  readonly name: string;
  readonly protocol: string;
  /** What holds where the case does. */
  readonly holds: string;
  /** What does not hold, each in a sentence; empty: the case holds. */
  readonly problems: readonly string[];
  readonly ms: number;
}

/** Runs one case; leaves nothing behind. Rejects only where the driver, or the server, cannot be started. */
export async function runCase(run: CaseRun): Promise<CaseResult> {
  const { protocol } = run;
  const tested = replaced(run.tested, { $UUID: randomUUID() }) as ConformanceCase;
  const began = performance.now();
  await using cleanup = new AsyncDisposableStack();
  const server = tested.script === undefined ? undefined : cleanup.use(await run.server());
  const ids =
    server === undefined || tested.before === undefined
      ? { turnId: TURN_ID, sessionId: SESSION_ID }
      : await prepareTurn(server, tested);
  const named = fillIn(tested, { $TURN: ids.turnId, $SESSION: ids.sessionId, $NAME: tested.name });
  const { cuts } = named;
  const proxy = cleanup.use(
    await startCuttingProxy((i) =>
      cuts !== undefined && i < cuts.count
        ? { afterBytes: cuts.first + i * cuts.step, ending: cuts.how }
        : undefined,
    ),
  );
  const relay = await relayOf(named, server, proxy);
  if (relay !== undefined) cleanup.use(relay);
  const cutUrl = canBeCut(named) ? server?.cutUrl : undefined;
  proxy.forwardTo(relay?.url ?? cutUrl ?? server!.url);
  const output = new DriverOutput(named.call);
  await using meanwhile = new Meanwhile(named.meanwhile, { proxy, server, ids });
  const exit = await runDriver(
    run.command,
    inputOf(named, proxy.url, protocol),
    named.limit_ms,
    run.signal,
    (line) => {
      const brought = output.take(line);
      if (brought !== undefined) meanwhile.heard(brought);
    },
  );
  const undone = await meanwhile.finish();
  const sessionId = String(output.events[0]?.session_id ?? ids.sessionId);
  const turnId = String(output.events[0]?.turn_id ?? ids.turnId);
  const { turns, turn } =
    server === undefined ? {} : await recordOf(server, named, { sessionId, turnId });
  const observed = { output, exit, calls: relay?.calls, times: relay?.times ?? [], turns, turn };
  const problems = [...judge(named, observed), ...undone];
  const ms = Math.round(performance.now() - began);
  return { name: named.name, protocol, holds: named.holds, problems, ms };
}

/** What the server has on record behind the case, as far as that wants to know. */
async function recordOf(server: FakeServer, { expect }: ConformanceCase, ids: TurnIds) {
  // A client that read nothing has no turn to ask for; that is told by what did not come.
  const unless = () => undefined;
  const { turns, turn } = expect;
  return {
    turns: turns === undefined ? turns : await turnCount(server, ids.sessionId).catch(unless),
    turn: turn === undefined ? turn : await endedTurn(server, ids.turnId).catch(unless),
  };
}

/** Calls are looked at where the case says what becomes of them, or which must be made; there must be one where no server is. */
async function relayOf(
  { call, calls, expect }: ConformanceCase,
  server: FakeServer | undefined,
  proxy: CuttingProxy,
): Promise<Relay | undefined> {
  if (server !== undefined && calls === undefined && expect.calls === undefined) return undefined;
  const isRuled = (method: string) => !STREAMS.includes(call) || STREAMING.includes(method);
  const each = (calls ?? []).flatMap((rule) => Array.from({ length: rule.times }, () => rule));
  return startRelay(server?.url, each, isRuled, proxy);
}

const STREAMS = ["stream_turn", "attach_turn", "watch_session", "watch_turns"];
const STREAMING = ["RunTurn", "AttachTurn", "WatchSession", "WatchTurns"];

function inputOf(named: ConformanceCase, url: string, protocol: string): DriverInput {
  const { name, call, request, options, token, leave_after, leave_after_ms, pause_ms } = named;
  const leaving = { leave_after, leave_after_ms, pause_ms };
  return { name, url, protocol, call, request, options, token, ...leaving };
}

/** The case with its request whole, and with what only a run knows in place of what stands for it. */
function fillIn(tested: ConformanceCase, values: Readonly<Record<string, string>>) {
  const whole = { ...tested, request: { ...defaultRequest(tested.call), ...tested.request } };
  return replaced(whole, values) as ConformanceCase;
}

function defaultRequest(call: string): JsonObject {
  switch (call) {
    case "stream_turn":
    case "run_turn":
      return { prompt: "$NAME" };
    case "watch_session":
      return { session_id: "$SESSION" };
    case "watch_turns":
      return {};
    default:
      return { turn_id: "$TURN" };
  }
}

function replaced(value: unknown, values: Readonly<Record<string, string>>): unknown {
  if (typeof value === "string") return values[value] ?? value;
  if (Array.isArray(value)) return value.map((one) => replaced(one, values));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, replaced(one, values)]),
  );
}
