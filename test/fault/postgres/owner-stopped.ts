import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ClientConfig } from "pg";
import { openPostgres } from "../../../src/store/postgres/postgres-store.ts";
import { type OwnedStore, owned } from "../../support/owned-store.ts";
import { NODE_FLAGS } from "../../support/program.ts";
import { SUCCEEDED } from "../../support/turn-start.ts";
import { between, chance } from "../random.ts";
import { faultsWithin, type Tally, Turnstile } from "../trials.ts";
import { postgresRow, SILENT, startFaultDatabase } from "./fault-database.ts";
import type { OwnerFindings } from "./stopped-owner.ts";
import { eventOf, faultsOfEvents } from "./stored-turns.ts";

const PROGRAM = fileURLToPath(new URL("stopped-owner.ts", import.meta.url));
const LANES = 8;
/** A renewal is a transaction: with a shorter one most stops would find one. */
const LEASE_MS = 1000;
const TRIAL_MS = 180_000;
const LATEST_MS = 100;

/**
 * A process that is stopped for longer than its lease, and does not know of it when it goes on. Where it is stopped within a
 * transaction the fence waits until the database ends that, after 10 s; a server's lease is longer.
 */
export const ownerStopped = postgresRow(
  {
    name: "owner-stopped",
    fault:
      "owner of 4 turns stopped (SIGSTOP) past its lease, fenced, its turns ended, woken; 25 more tries for each turn",
    bar: "0 appends behind the fence, 0 gaps, one end a turn",
  },
  async (trials, tally, bin) => {
    await using database = await startFaultDatabase(bin);
    const turnstile = new Turnstile(trials);
    const lanes = Array.from({ length: Math.min(LANES, trials) }, async (_, lane) => {
      const opened = await openPostgres([database.host], SILENT);
      const other = owned(await opened.openStore(`other ${lane}`));
      for (let isLeft = turnstile.take(); isLeft; ) {
        await using owner = startOwner(database.host);
        // What a trial left that failed is not to fail the next one.
        for (let isWell = true; isLeft && isWell; isLeft = turnstile.take()) {
          const faults = await faultsWithin(TRIAL_MS, () => stopOnce(owner, other, tally));
          tally.trial(faults, "its turns");
          isWell = faults.length === 0;
        }
      }
      await opened.close();
    });
    await Promise.all(lanes);
  },
);

async function stopOnce(owner: OwnerProcess, other: OwnedStore, tally: Tally): Promise<string[]> {
  const name = randomUUID();
  const turnIds = (await owner.ask(name)) as readonly string[];
  await delay(between(0, LATEST_MS));
  owner.signal("SIGSTOP");
  const faults: string[] = [];
  try {
    const stopped = performance.now();
    while (!(await other.fence(name))) await delay(LEASE_MS / 10);
    tally.time("fenced after it was stopped", performance.now() - stopped);
    const left = await other.listLeftTurns(name);
    const finals = turnIds.map(
      (id) => left.find(({ turnId }) => turnId === id)?.lastSequence ?? Number.NaN,
    );
    const wake = async () => {
      owner.signal("SIGCONT");
      return (await owner.answer()) as OwnerFindings;
    };
    // It goes on before its turns are ended, or when they are.
    const early = chance(0.5) ? await wake() : undefined;
    const ends = turnIds.map((turnId, index) =>
      other.append({ ...eventOf(turnId, finals[index]! + 1), end: SUCCEEDED }),
    );
    await Promise.all(ends);
    const { acknowledged, behind, strange } = early ?? (await wake());
    if (behind > 0) faults.push(`${behind} appends were acknowledged behind one that was refused`);
    faults.push(...strange.slice(0, 3).map((message) => `refused with: ${message}`));
    for (const [index, turnId] of turnIds.entries()) {
      const [last, final] = [acknowledged[index]!, finals[index]!];
      tally.count("events", final);
      if (last > final) faults.push(`turn ${turnId}: ${last} was acknowledged, ${final} was final`);
      if (last < final) faults.push(`turn ${turnId}: ${final} is there and was refused`);
      faults.push(...(await faultsOfEvents(other, turnId, final + 1)));
    }
  } finally {
    owner.signal("SIGCONT");
  }
  return faults;
}

interface OwnerProcess extends AsyncDisposable {
  /** Begins as the owner of that name, and gives what is printed first. */
  ask(owner: string): Promise<unknown>;
  /** What is printed next. */
  answer(): Promise<unknown>;
  signal(signal: NodeJS.Signals): void;
}

function startOwner(host: ClientConfig): OwnerProcess {
  const child = spawn(
    process.execPath,
    [...NODE_FLAGS, PROGRAM, JSON.stringify(host), String(LEASE_MS)],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const closed = once(child, "close");
  process.once("exit", () => child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error("the owner has ended by itself");
    return JSON.parse(value);
  };
  return {
    ask(owner) {
      child.stdin.write(`${owner}\n`);
      return answer();
    },
    answer,
    signal: (signal) => void child.kill(signal),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await closed;
    },
  };
}
