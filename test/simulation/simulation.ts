import { Clients } from "./clients.ts";
import { Database } from "./database/database.ts";
import { Faults } from "./faults.ts";
import { Invariants, Violation } from "./invariants.ts";
import type { Mutation } from "./mutation.ts";
import type { Outcome } from "./outcome.ts";
import { Replica } from "./replica.ts";
import { TERMS } from "./terms.ts";
import { World } from "./world.ts";

/** How long things go wrong, in milliseconds. */
const FAULTS_MS = { least: 20_000, most: 75_000 };
/** How long turns are asked for when nothing goes wrong any more. */
const CALM_MS = 8000;
/** When all has to be well again then, and how often it is looked whether it is. */
const REST_MS = { most: 2 * TERMS.leaseMs + 60_000, look: 3000 };
/** So much of what happened last is told. */
const TOLD = 40;

/** Runs one simulation: everything in it follows from the seed. */
export async function simulate(seed: number, mutation: Mutation = {}): Promise<Outcome> {
  const world = new World(seed);
  const invariants = new Invariants(world);
  const database = new Database(world, invariants, mutation.sql, mutation.isSynchronous);
  invariants.database = database;
  const names = Array.from({ length: replicasOf(world) }, (_, index) => `replica-${index + 1}`);
  const replicas = names.map((name) => new Replica(name, world, database, invariants, mutation));
  const clients = new Clients(world, replicas);
  const faults = new Faults(world, database, replicas);
  let violation: string | undefined;
  try {
    for (const replica of replicas) world.after(world.between(0, 2000), () => replica.start());
    const faultsMs = world.between(FAULTS_MS.least, FAULTS_MS.most);
    const look = () => invariants.check();
    clients.start();
    faults.plan(faultsMs);
    await world.runUntil(faultsMs, look);
    faults.mendAll();
    await world.runUntil(faultsMs + CALM_MS, look);
    clients.stop();
    const end = world.now + REST_MS.most;
    const isWell = () =>
      invariants.turns.unended.length === 0 &&
      replicas.every(({ isServing, isLost }) => isServing || isLost);
    while (world.now < end && !isWell()) await world.runUntil(world.now + REST_MS.look, look);
    invariants.checkAcknowledged();
    invariants.check();
    const { unended } = invariants.turns;
    if (unended.length > 0) throw new Violation(`turns have no end: ${unended.join(", ")}`);
    const idle = replicas.filter((one) => !one.isServing && !one.isLost).map(({ name }) => name);
    if (idle.length > 0) throw new Violation(`these do not serve: ${idle.join(", ")}`);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    violation = `${(world.now / 1000).toFixed(3)} s: ${error.message}`;
  }
  for (const replica of replicas) replica.end();
  await new Promise((resolve) => setImmediate(resolve));
  return {
    ...{ seed, replicas: replicas.length, steps: world.steps, violation },
    ...{ turns: invariants.turns.count, acknowledged: invariants.acknowledgedCount },
    told: world.lastTold(TOLD),
  };
}

/** Most are small: what can go wrong between replicas does between few, and sooner. */
function replicasOf(world: World): number {
  if (world.chance(8)) return world.between(30, 100);
  return world.chance(60) ? world.between(12, 30) : world.between(10, 11);
}
