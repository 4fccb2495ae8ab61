import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { callsIn, headsIn, lookAtAudit, type Told } from "./audited-store.ts";
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
    const missing = ["calls of tools on it", "heads of it"].filter(
      (what) => !outcome.figures?.[what],
    );
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
        return faultsOfGround(ground, heads, told, tally);
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

function startTurn(url: string): StartedTurn {
  const steps = (token: string) =>
    Array.from({ length: between(1, TOOLS) }, (_, n) => [`call ${n}`, `say ${token} 1 1`]).flat();
  return new StartedTurn(url, countedRequest(steps));
}

async function faultsOfGround({ root }: Ground, heads: string, told: Told, tally: Tally) {
  const { faults, records } = await lookAtAudit(join(root, "data"), heads, told);
  tally.most("records on one chain", records.length);
  tally.most("calls of tools on it", callsIn(records));
  tally.most("heads of it", (await headsIn(heads)).length);
  return faults;
}
