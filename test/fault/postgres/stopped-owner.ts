/**
 * `stopped-owner.ts HOST LEASE_MS`: a server's store in a process that is stopped. For each line on stdin, the owner's name, it takes a lease,
 * has turns recorded, prints their ids, and appends to all of them until it hears that it was fenced. Then it tries again and
 * again, and prints what it was told.
 */
import { createInterface } from "node:readline";
import type { ClientConfig } from "pg";
import { isFenced } from "../../../src/errors.ts";
import { openPostgres } from "../../../src/store/postgres/postgres-store.ts";
import { type OwnedStore, owned } from "../../support/owned-store.ts";
import { chance } from "../random.ts";
import { SILENT } from "./fault-database.ts";
import { eventOf, startTurns } from "./stored-turns.ts";

/** Of one owner, as it is told. */
export interface OwnerFindings {
  /** Of each turn the last sequence that was acknowledged before the first refusal. */
  readonly acknowledged: readonly number[];
  /** How many appends were acknowledged behind one that was refused. */
  readonly behind: number;
  /** What was refused for another reason than the fence. */
  readonly strange: readonly string[];
}

const TURNS = 4;
const TRIES = 25;
/** The share of appends that are more than events: a transaction of several statements, which may be stopped between two. */
const AUDITED_SHARE = 0.01;

const [host = "", leaseMs] = process.argv.slice(2);
const terms = { renewMs: Number(leaseMs) / 4, graceMs: Number(leaseMs), leaseMs: Number(leaseMs) };
const database = await openPostgres([JSON.parse(host) as ClientConfig], SILENT);
for await (const owner of createInterface({ input: process.stdin })) await own(owner);
await database.close();

async function own(owner: string): Promise<void> {
  const store = owned(await database.openStore(owner, terms));
  const renewing = setInterval(
    () => void store.renewLease(store.lease.epoch).catch(() => {}),
    terms.renewMs,
  );
  const turnIds = await startTurns(store, TURNS);
  // What comes first of a turn is a transaction of several statements: most stops are to find what comes then.
  await Promise.all(turnIds.map((turnId) => store.append(eventOf(turnId, 1))));
  print(turnIds);
  const found = { acknowledged: [] as number[], behind: 0, strange: [] as string[] };
  const take = (error: unknown) => {
    if (!isFenced(error)) found.strange.push((error as Error).message);
  };
  found.acknowledged = await Promise.all(turnIds.map((turnId) => appendAll(store, turnId, take)));
  clearInterval(renewing);
  const tries = turnIds.flatMap((turnId, index) =>
    Array.from({ length: TRIES }, async (_, tried) => {
      const next = found.acknowledged[index]! + 1 + (tried % 3);
      await store.append(eventOf(turnId, next)).then(() => void found.behind++, take);
    }),
  );
  await Promise.all(tries);
  print(found satisfies OwnerFindings);
}

async function appendAll(store: OwnedStore, turnId: string, take: (error: unknown) => void) {
  for (let last = 1; ; last++) {
    const audited = chance(AUDITED_SHARE)
      ? { audit: [{ kind: "tools_called" as const, turnId }] }
      : {};
    try {
      await store.append({ ...eventOf(turnId, last + 1), ...audited });
    } catch (error) {
      take(error);
      return last;
    }
  }
}

function print(answer: unknown): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
