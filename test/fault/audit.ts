import { copyFile, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import type { EventKind } from "../../src/agent/agent.ts";
import { ChainCheck } from "../../src/audit/chain-check.ts";
import { type AuditHead, findHead } from "../../src/audit/head.ts";
import type { AuditRecord } from "../../src/audit/record.ts";
import { decodeEvent } from "../../src/turns/encoded-event.ts";
import { TurnAudit } from "../../src/turns/turn-audit.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startFaultServer } from "./fault-server.ts";
import { createGround, type Ground } from "./ground.ts";
import { between, chance, oneOf } from "./random.ts";
import type { FaultRow } from "./row.ts";
import { countedRequest, StartedTurn } from "./started-turn.ts";
import { killAll, survivors } from "./survivors.ts";
import { faultsWithin, Tally, Turnstile } from "./trials.ts";

const LANES = 2;
/** Trials on the same data, one after the other: their records are one chain. */
const TRIALS_OF_A_GROUND = 25;
const TRIAL_MS = 60_000;
const TOOLS = 30;
const HEAD_MS = 10_000;

/** What a server that was killed had told its clients. */
interface Told {
  readonly turns: readonly StartedTurn[];
  /** Sessions that it said were deleted. */
  readonly deleted: readonly string[];
}

const SETTINGS = { BREAKGLASS_AUDIT_HEAD_SECONDS: "1", BREAKGLASS_MAX_CONCURRENT_TURNS: "100" };

/** The server is killed while it records who does what. */
export const audit: FaultRow = {
  name: "audit",
  fault:
    "server killed (SIGKILL) at a random moment of turns that call tools, are canceled and deleted",
  bar: "each event that is to be audited has its record, as has all that a client was told, each record its event, the chain is right, no head is ahead of it",
  async run(trials) {
    const tally = new Tally();
    const turnstile = new Turnstile(trials);
    await Promise.all(Array.from({ length: LANES }, () => runLane(turnstile, tally)));
    const { outcome } = tally;
    // Without them there is nothing that could be wrong.
    const missing = ["of them of tools", "heads of it"].filter((what) => !outcome.figures?.[what]);
    const failures = missing.map((what) => `there are no ${what}`);
    return { ...outcome, failures: [...outcome.failures, ...failures] };
  },
};

async function runLane(turnstile: Turnstile, tally: Tally): Promise<void> {
  while (turnstile.take()) {
    await using ground = await createGround(SETTINGS);
    const heads = join(ground.root, "heads");
    const audited = {
      ...ground,
      variables: { ...ground.variables, BREAKGLASS_AUDIT_HEADS_FILE: heads },
    };
    for (let trial = 1; ; trial++) {
      const faults = await faultsWithin(TRIAL_MS, async () => {
        const told = await killedServer(audited, trial === 1 || chance(0.2) ? heads : undefined);
        killAll(await survivors(ground.root, 0));
        return faultsOfStore(ground, heads, told, tally);
      });
      tally.trial(faults, ground.root);
      if (faults.length > 0) ground.keep();
      if (faults.length > 0 || trial === TRIALS_OF_A_GROUND || !turnstile.take()) break;
    }
  }
}

/**
 * Starts a server, which ends what the one before it left, and turns on it, and kills it.
 *
 * @param heads - It is killed once another head came there. Undefined: at any moment.
 */
async function killedServer(ground: Ground, heads: string | undefined): Promise<Told> {
  const before = heads === undefined ? 0 : (await headsIn(heads)).length;
  const server = await startFaultServer(ground);
  const turns = Array.from({ length: between(1, 4) }, () => startTurn(server.url));
  using connection = connect(server.url);
  const { client } = connection;
  const done: Promise<unknown>[] = [];
  const deleted: string[] = [];
  if (chance(0.8)) await oneOf(turns).recording.received(between(1, 2 * TOOLS));
  const { turnId } = oneOf(turns).recording;
  if (turnId !== undefined && chance(0.4)) done.push(client.cancelTurn({ turnId }));
  if (chance(0.4)) {
    const { request, recording } = oneOf(turns);
    const { sessionId } = request;
    const deletion = () => client.deleteSession({ sessionId }).then(() => deleted.push(sessionId));
    if (recording.hasEnd) done.push(deletion());
  }
  if (chance(0.1)) process.kill(server.pid, "SIGTERM");
  const asked = Promise.allSettled(done);
  if (heads !== undefined) await eventually(() => headsIn(heads), isMoreThan(before), HEAD_MS);
  if (heads === undefined || chance(0.5)) await delay(between(0, 60));
  await server.end("SIGKILL");
  await Promise.all([asked, ...turns.map((turn) => turn.over())]);
  for (const turn of turns) turn[Symbol.dispose]();
  return { turns, deleted };
}

function isMoreThan(count: number): (found: readonly unknown[]) => boolean {
  return ({ length }) => length > count;
}

async function headsIn(path: string): Promise<AuditHead[]> {
  const told = await readFile(path, "utf8").catch(() => "");
  return told.split("\n").flatMap((line) => findHead(line) ?? []);
}

function startTurn(url: string): StartedTurn {
  const steps = (token: string) =>
    Array.from({ length: between(1, TOOLS) }, (_, n) => [`call ${n}`, `say ${token} 1 1`]).flat();
  return new StartedTurn(url, countedRequest(steps));
}

/** What is wrong with what is on disk. */
async function faultsOfStore(
  { root }: Ground,
  heads: string,
  told: Told,
  tally: Tally,
): Promise<string[]> {
  const kept = join(root, "data", "breakglass.db");
  const copy = join(root, "copy.db");
  await copyFile(kept, copy);
  await copyFile(`${kept}-wal`, `${copy}-wal`).catch(() => {});
  using database = new DatabaseSync(copy);
  const rows = database.prepare("SELECT line FROM audit ORDER BY place").all();
  const lines = rows.map(({ line }) => String(line));
  const signed = await headsIn(heads);
  const check = new ChainCheck({ heads: signed.slice(-50) });
  const records = lines.map((line) => check.take(line));
  check.end();
  const faults = [
    ...faultsOfRecords(records, expectedOf(database), database),
    ...faultsOfTold(records, told),
  ];
  const tools = records.filter(({ kind }) => kind === "tool_called").length;
  tally.most("records on one chain", records.length);
  tally.most("of them of tools", tools);
  tally.most("heads of it", signed.length);
  for (const suffix of ["", "-wal", "-shm"]) await rm(copy + suffix, { force: true });
  return faults;
}

/** What must be on the chain of the turns that are in the store: a kind and a place each. */
function expectedOf(database: DatabaseSync): Set<string> {
  const expected = new Set<string>();
  const content = new TurnAudit("hashes");
  const turns = database.prepare("SELECT turn_key, turn_id FROM turns").all();
  for (const { turn_key: key, turn_id: turnId } of turns) {
    expected.add(placeOf(String(turnId), "turn_started"));
    const events = database
      .prepare("SELECT event FROM events WHERE turn_key = ? ORDER BY place")
      .all(Number(key));
    for (const { event } of events) {
      const { sequence, kind } = decodeEvent(event as Uint8Array);
      const ids = { turnId: String(turnId), sessionId: "" };
      for (const said of content.events(ids, [kind as EventKind], sequence)) {
        expected.add(placeOf(String(turnId), said.kind, sequence));
      }
    }
  }
  return expected;
}

function faultsOfRecords(
  records: readonly AuditRecord[],
  expected: ReadonlySet<string>,
  database: DatabaseSync,
): string[] {
  const known = database.prepare("SELECT 1 FROM turns WHERE turn_id = ?");
  const deleted = new Set(
    records.filter(({ kind }) => kind === "session_deleted").map((record) => record.session_id),
  );
  const found = new Set<string>();
  const faults: string[] = [];
  for (const { turn_id: turnId, session_id: sessionId, kind, facts, sequence } of records) {
    // What stops a turn is an event of none: it comes with one.
    if (turnId === undefined || kind === "turn_canceled") continue;
    if (known.get(turnId) === undefined) {
      if (!deleted.has(sessionId)) faults.push(`record ${sequence} is of a turn that is not there`);
      continue;
    }
    const place = placeOf(turnId, kind, facts?.event_sequence as number | undefined);
    if (found.has(place)) faults.push(`there are two records of ${place}`);
    if (!expected.has(place)) faults.push(`record ${sequence} is of ${place}, which is not there`);
    found.add(place);
  }
  for (const place of expected) if (!found.has(place)) faults.push(`${place} has no record`);
  return faults.slice(0, 5);
}

/** The kinds of records of events, as docs/audit.md has them. */
const RECORDED: Readonly<Record<string, string>> = {
  tool: "tool_called",
  result: "turn_ended",
  error: "turn_ended",
};

/** What clients were told of stays on record, also where its session is deleted. */
function faultsOfTold(records: readonly AuditRecord[], { turns, deleted }: Told): string[] {
  const found = new Set(
    records.map(({ turn_id = "", session_id = "", kind, facts }) =>
      kind === "session_deleted"
        ? placeOf(session_id, kind)
        : placeOf(turn_id, kind, facts?.event_sequence as number | undefined),
    ),
  );
  const ofTurns = turns.flatMap(({ recording }) => {
    const { turnId, durable } = recording;
    if (turnId === undefined) return [];
    const ofEvents = durable.flatMap(({ sequence, kind }) => {
      const recorded = RECORDED[kind.case ?? ""];
      return recorded === undefined ? [] : [placeOf(turnId, recorded, sequence)];
    });
    return [placeOf(turnId, "turn_started"), ...ofEvents];
  });
  const ofSessions = deleted.map((sessionId) => placeOf(sessionId, "session_deleted"));
  const stopped = records.filter(({ facts }) => facts?.state === "TURN_STATE_CANCELED");
  const ofCancels = stopped.map((record) => placeOf(record.turn_id!, "turn_canceled"));
  return [...ofTurns, ...ofSessions, ...ofCancels]
    .filter((place) => !found.has(place))
    .map((place) => `a client was told of ${place}, which has no record`)
    .slice(0, 5);
}

function placeOf(turnId: string, kind: string, sequence: number | undefined = 0): string {
  return `${kind} ${sequence} of ${turnId}`;
}
