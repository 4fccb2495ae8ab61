import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { EventKind } from "../../src/agent/agent.ts";
import { ChainCheck } from "../../src/audit/chain-check.ts";
import type { AuditFacts } from "../../src/audit/entry.ts";
import { type AuditHead, findHead } from "../../src/audit/head.ts";
import type { AuditRecord } from "../../src/audit/record.ts";
import { decodeEvent } from "../../src/turns/encoded-event.ts";
import { TurnAudit } from "../../src/turns/turn-audit.ts";
import type { StartedTurn } from "./started-turn.ts";

/** What a server that was killed had told its clients. */
export interface Told {
  readonly turns: readonly StartedTurn[];
  /** Sessions that it said were deleted. */
  readonly deleted: readonly string[];
}

/** The heads in a file, in their order; none where there is no file. */
export async function headsIn(path: string): Promise<AuditHead[]> {
  const told = await readFile(path, "utf8").catch(() => "");
  return told.split("\n").flatMap((line) => findHead(line) ?? []);
}

/**
 * Looks at the audit of a store that no server has open, in a copy: its own disk may have no room for a look.
 *
 * @param heads - The file that heads were appended to.
 * @returns its records, and what is wrong with them.
 */
export async function lookAtAudit(
  dataDir: string,
  heads: string,
  told: Told,
): Promise<{ records: readonly AuditRecord[]; faults: string[] }> {
  await using cleanup = new AsyncDisposableStack();
  const copy = await mkdtemp(join(tmpdir(), "breakglass-audited-"));
  cleanup.defer(() => rm(copy, { recursive: true }));
  for (const name of ["breakglass.db", "breakglass.db-wal"]) {
    await cp(join(dataDir, name), join(copy, name)).catch(() => {});
  }
  using database = new DatabaseSync(join(copy, "breakglass.db"));
  const rows = database.prepare("SELECT line FROM audit ORDER BY place").all();
  const check = new ChainCheck({ heads: (await headsIn(heads)).slice(-50) });
  const records = rows.map(({ line }) => check.take(String(line)));
  check.end();
  const faults = [
    ...faultsOfRecords(records, expectedOf(database), database),
    ...faultsOfTold(records, told),
  ];
  return { records, faults };
}

/** What must be on the chain of the turns that are in the store: a kind and a place each. */
function expectedOf(database: DatabaseSync): Set<string> {
  const expected = new Set<string>();
  const content = new TurnAudit("hashes");
  const turns = database.prepare("SELECT turn_key, turn_id FROM turns").all();
  for (const { turn_key: key, turn_id: turnId } of turns) {
    expected.add(placeOf(String(turnId), "turn_started"));
    const events = database
      .prepare("SELECT event FROM events WHERE turn_key = ? ORDER BY sequence")
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
    for (const place of placesOf(turnId, kind, facts)) {
      if (found.has(place)) faults.push(`there are two records of ${place}`);
      if (!expected.has(place))
        faults.push(`record ${sequence} is of ${place}, which is not there`);
      found.add(place);
    }
  }
  for (const place of expected) if (!found.has(place)) faults.push(`${place} has no record`);
  return faults.slice(0, 5);
}

/** The kinds of records of events, as docs/audit.md has them. */
const RECORDED: Readonly<Record<string, string>> = {
  tool: "tools_called",
  result: "turn_ended",
  error: "turn_ended",
};

/** What clients were told of stays on record, also where its session is deleted. */
function faultsOfTold(records: readonly AuditRecord[], { turns, deleted }: Told): string[] {
  const found = new Set(
    records.flatMap(({ turn_id = "", session_id = "", kind, facts }) =>
      kind === "session_deleted" ? placeOf(session_id, kind) : placesOf(turn_id, kind, facts),
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

/** What a record is of: of calls of tools there are several in one. */
function placesOf(turnId: string, kind: string, facts: AuditFacts = {}): string[] {
  const of = kind === "tools_called" ? (facts.calls as readonly AuditFacts[]) : [facts];
  return of.map((one) => placeOf(turnId, kind, one.event_sequence as number | undefined));
}

/** How many calls of tools records are of. */
export function callsIn(records: readonly AuditRecord[]): number {
  const places = records.flatMap(({ kind, facts }) =>
    kind === "tools_called" ? placesOf("", kind, facts) : [],
  );
  return places.length;
}

function placeOf(turnId: string, kind: string, sequence: number | undefined = 0): string {
  return `${kind} ${sequence} of ${turnId}`;
}
