import { join } from "node:path";
import { connect } from "../support/protocols.ts";
import { type FaultServer, startFaultServer } from "./fault-server.ts";
import { fillStore } from "./full-store.ts";
import { createGround, type Ground } from "./ground.ts";
import { KILL_MOMENTS } from "./kill-moments.ts";
import { faultsOfKilledTurn, faultsOfSession } from "./killed-turn.ts";
import { chance, oneOf } from "./random.ts";
import type { FaultRow } from "./row.ts";
import type { StartedTurn } from "./started-turn.ts";
import { GONE_AFTER_START_MS, killAll, processesNaming, survivors } from "./survivors.ts";
import { faultsWithin, Tally, Turnstile } from "./trials.ts";

const LANES = 2;
/** Trials on the same data, one after the other: what one leaves, the next one's server takes over too. */
const TRIALS_OF_A_GROUND = 25;
const TRIAL_MS = 60_000;
const UP_MS = 2000;
/** What is left then is left for good, however busy the machine is. */
const ALL_GONE_MS = 15_000;
const MANY_TURNS = 10_000;
/** One trial in so many is made on a store with that many turns. */
const FULL_STORE_SHARE = 10;

const SETTINGS = {
  BREAKGLASS_DRAIN_SECONDS: "3",
  BREAKGLASS_MAX_CONCURRENT_TURNS: "100",
};

/** The server is killed while turns run, and another one goes on with its data. */
export const serverKill: FaultRow = {
  name: "server-kill",
  fault: "server killed (SIGKILL) at a random moment of running turns, started again on its data",
  bar: "0 lost, 0 duplicated, 0 run twice, one end a turn, 0 orphans; serving again within 2 s",
  async run(trials) {
    const tally = new Tally();
    const onFullStore = Math.ceil(trials / FULL_STORE_SHARE);
    const few = new Turnstile(trials - onFullStore);
    await Promise.all(Array.from({ length: LANES }, () => runLane(few, tally, "serving again")));
    const what = `serving again with ${MANY_TURNS} turns on record`;
    await runLane(new Turnstile(onFullStore), tally, what, MANY_TURNS);
    return tally.outcome;
  },
};

async function runLane(turnstile: Turnstile, tally: Tally, what: string, stored = 0) {
  while (turnstile.take()) {
    await using ground = await createGround(SETTINGS);
    const data = ground.variables.BREAKGLASS_DATA_DIR!;
    if (stored > 0) await fillStore(join(data, "breakglass.db"), join(data, "sessions"), stored);
    let server = await startFaultServer(ground);
    for (let trial = 1; ; trial++) {
      const faults = await faultsWithin(TRIAL_MS, async () => {
        const moment = oneOf(Object.keys(KILL_MOMENTS));
        await using killed = await killAt(moment, server, tally);
        tally.count("processes left behind", processesNaming(ground.root).length);
        server = await startFaultServer(ground);
        tally.time(what, server.upMs, UP_MS);
        const found = await faultsAfter(killed.turns, ground, server, tally);
        return found.map((fault) => `killed at ${moment}: ${fault}`);
      });
      tally.trial(faults, ground.root);
      if (faults.length > 0) ground.keep();
      if (faults.length > 0 || trial === TRIALS_OF_A_GROUND || !turnstile.take()) break;
    }
    await server.end("SIGKILL");
    killAll(await survivors(ground.root, 0));
  }
}

/** Starts turns and kills their server; disposing lets go of the clients. */
async function killAt(moment: string, server: FaultServer, tally: Tally) {
  const turns: StartedTurn[] = [];
  try {
    await KILL_MOMENTS[moment]!(server, turns);
  } finally {
    await server.end("SIGKILL");
  }
  await Promise.all(turns.map((turn) => turn.over()));
  countReceived(turns, tally);
  return {
    turns,
    async [Symbol.asyncDispose]() {
      for (const turn of turns) turn[Symbol.dispose]();
    },
  };
}

function countReceived(turns: readonly StartedTurn[], tally: Tally): void {
  const accepted = turns.filter(({ recording }) => recording.turnId !== undefined);
  tally.count("turns not accepted yet", turns.length - accepted.length);
  tally.count("turns running", accepted.filter(({ recording }) => !recording.hasEnd).length);
  tally.count("turns ended", accepted.filter(({ recording }) => recording.hasEnd).length);
  const parts = turns.flatMap((turn) => turn.parts);
  const events = parts.reduce((sum, { recording }) => sum + recording.durable.length, 0);
  tally.count("events received before", events);
}

/** What is wrong after a start on the data of a server that was killed. */
async function faultsAfter(
  turns: readonly StartedTurn[],
  ground: Ground,
  server: FaultServer,
  tally: Tally,
): Promise<string[]> {
  const served = performance.now();
  using connection = connect(server.url);
  const { client } = connection;
  const faultsOfOrphans = async () => {
    const left = await survivors(ground.root, ALL_GONE_MS);
    const isFirst = !turnsWereAsked;
    // Asking for turns may start agents anew: what they leave is no orphan.
    if (isFirst) tally.time("orphans gone", performance.now() - served, GONE_AFTER_START_MS);
    killAll(left);
    return left.length === 0 ? [] : [`${left.length} processes are left`];
  };
  let turnsWereAsked = false;
  const faultsOfTurns = async () => {
    turnsWereAsked = true;
    const ofTurns = turns.map((turn) => faultsOfKilledTurn(client, ground.root, turn));
    const faults = (await Promise.all(ofTurns)).flat();
    return [...faults, ...(await faultsOfSession(client, ground.root, oneOf(turns)))];
  };
  // Both while what was left is still being ended, and after it.
  return chance(0.5)
    ? [...(await faultsOfOrphans()), ...(await faultsOfTurns())]
    : [...(await faultsOfTurns()), ...(await faultsOfOrphans())];
}
