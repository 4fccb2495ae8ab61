import { setTimeout as delay } from "node:timers/promises";
import type { ClientConfig } from "pg";
import { isFenced } from "../../../src/errors.ts";
import { openPostgres, type PostgresDatabase } from "../../../src/store/postgres/postgres-store.ts";
import { type OwnedStore, owned } from "../../support/owned-store.ts";
import { SUCCEEDED } from "../../support/turn-start.ts";
import { chance } from "../random.ts";
import type { FaultRow } from "../row.ts";
import type { Tally } from "../trials.ts";
import { postgresRow, SILENT, SLOW_COMMITS, startFaultDatabase } from "./fault-database.ts";
import { eventOf, faultsOfEvents, type OwnersAppend, startTurns } from "./stored-turns.ts";
import { openUnlockedOwner } from "./unlocked-owner.ts";

const TURNS = 4;
const LATEST_MS = 30;
/** Its lease has run out as soon as it has it, and it does not know. */
const TERMS = { renewMs: 1000, graceMs: 1000, leaseMs: 1 };
/** Of what is appended, so much is more than events: its transaction holds the lease in another way. */
const AUDITED_SHARE = 0.2;
/** So many are enough to see the control fail, however few are asked for: it did in a tenth of the trials and more. */
const LEAST_CONTROLS = 50;

/** A server that is alive is taken for gone. */
export const fenceLive: FaultRow = postgresRow(
  {
    name: "fence-live",
    fault: "live owner fenced at a random moment, 4 appends in flight",
    bar: "what it was told is there is before the fence, nothing is behind it",
  },
  async (trials, tally, bin) => {
    await using database = await startFaultDatabase(bin, SLOW_COMMITS);
    await fenceAgain(database.host, trials, (faults) => tally.trial(faults, "its turns"), tally);
  },
);

/** The same without the lock: where this does not fail the row above shows nothing. */
export const fenceUnlocked: FaultRow = postgresRow(
  {
    name: "fence-unlocked",
    fault: "the same by a statement that reads the lease and does not lock it (control)",
    bar: "fences are crossed",
  },
  async (trials, tally, bin) => {
    await using database = await startFaultDatabase(bin, SLOW_COMMITS);
    await using unlocked = await openUnlockedOwner(database.host, TURNS);
    let crossed = 0;
    const made = Math.max(trials, LEAST_CONTROLS);
    const take = (faults: readonly string[]) => {
      if (faults.length > 0) crossed++;
      tally.trial([], "");
    };
    await fenceAgain(database.host, made, take, tally, unlocked.append);
    tally.count("fences crossed", crossed);
    if (crossed === 0) tally.fail(`none of ${made} fences was crossed: the row shows nothing`);
  },
);

/** @param append - Left out: as the store does it. */
async function fenceAgain(
  host: ClientConfig,
  trials: number,
  take: (faults: readonly string[]) => void,
  tally: Tally,
  append?: OwnersAppend,
): Promise<void> {
  const [first, second] = [await openPostgres([host], SILENT), await openPostgres([host], SILENT)];
  try {
    const other = owned(await second.openStore("other"));
    for (let trial = 0; trial < trials; trial++) take(await fenceOnce(first, other, tally, append));
  } finally {
    await Promise.all([first.close(), second.close()]);
  }
}

async function fenceOnce(
  database: PostgresDatabase,
  other: OwnedStore,
  tally: Tally,
  append?: OwnersAppend,
): Promise<string[]> {
  const one = owned(await database.openStore("one", TERMS));
  const turnIds = await startTurns(one, TURNS);
  const running = turnIds.map((turnId) => run(turnId, one, append ?? appendTo(one)));
  await delay(Math.random() * LATEST_MS);
  const faults: string[] = [];
  if (!(await other.fence("one"))) faults.push("it is not fenced, though its lease ran out");
  const left = await other.listLeftTurns("one");
  const ended = turnIds.map(async (turnId, index) => {
    const final = left.find((turn) => turn.turnId === turnId)?.lastSequence ?? 0;
    const end = { ...eventOf(turnId, final + 1), end: SUCCEEDED };
    const failure = await other.append(end).then(
      () => undefined,
      (error: Error) => error.message,
    );
    const last = await running[index]!;
    tally.count("events", last);
    if (failure !== undefined) faults.push(`turn ${turnId} cannot be ended: ${failure}`);
    if (last > final) faults.push(`turn ${turnId}: ${last} was acknowledged, ${final} was final`);
    if (last < final) faults.push(`turn ${turnId}: ${final} is there and was refused`);
    faults.push(...(await faultsOfEvents(other, turnId, final + 1)));
  });
  await Promise.all(ended);
  return faults;
}

/** Appends until that is refused. Answers the last sequence that was acknowledged. */
async function run(turnId: string, { lease }: OwnedStore, append: OwnersAppend): Promise<number> {
  for (let last = 0; ; last++) {
    if (!(await append(turnId, last + 1, lease.epoch))) return last;
  }
}

function appendTo(store: OwnedStore): OwnersAppend {
  return async (turnId, sequence) => {
    const audit = chance(AUDITED_SHARE)
      ? { audit: [{ kind: "tools_called" as const, turnId }] }
      : {};
    try {
      await store.append({ ...eventOf(turnId, sequence), ...audit });
      return true;
    } catch (error) {
      if (isFenced(error)) return false;
      throw error;
    }
  };
}
