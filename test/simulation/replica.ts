import { homeOf } from "../../src/errors.ts";
import { NOBODY_TOLD } from "../../src/happenings.ts";
import type { Log } from "../../src/log.ts";
import { openPostgres } from "../../src/store/postgres/postgres-store.ts";
import type { Store } from "../../src/store/store.ts";
import type { StartedTurn, TurnStart } from "../../src/store/writes.ts";
import { DaySpendings } from "../../src/turns/day-spendings.ts";
import { type LeaseConsequences, LeaseKeeper } from "../../src/turns/lease-keeper.ts";
import { RecentEventsBudget } from "../../src/turns/recent-events.ts";
import { takeOverTurns } from "../../src/turns/recovery.ts";
import { RunningTurn } from "../../src/turns/running-turn.ts";
import { TurnAudit } from "../../src/turns/turn-audit.ts";
import { boundsOf, TurnSpending } from "../../src/turns/turn-spending.ts";
import { UnendedTurns } from "../../src/turns/unended-turns.ts";
import { DrivenAgent, drivenAgents } from "../turns/driven-agent.ts";
import { LIMITS } from "../turns/driven-turns.ts";
import { simulatedDriver } from "./database/client.ts";
import type { Database } from "./database/database.ts";
import type { Invariants } from "./invariants.ts";
import type { Mutation } from "./mutation.ts";
import { Way } from "./network.ts";
import { Process } from "./process.ts";
import { SimulatedRun } from "./simulated-run.ts";
import { TERMS } from "./terms.ts";
import type { World } from "./world.ts";

/** Until a supervisor starts a server again that could not begin. */
const RESTART_MS = 3000;
/** What the clock of a replica goes too fast or too slow by, at most, in a thousand. */
const RATE = 10;

const silent: Log = { info() {}, warn() {}, error() {} };

/** What one process of a replica consists of. */
interface Serving {
  readonly store: Store;
  readonly unended: UnendedTurns;
  readonly keeper: LeaseKeeper;
}

/** A replica: its disk, and what runs on it, over all its restarts. */
export class Replica {
  readonly name: string;
  readonly way: Way;
  readonly #world: World;
  readonly #database: Database;
  readonly #invariants: Invariants;
  readonly #mutation: Mutation;
  #process: Process | undefined;
  #serving: Serving | undefined;
  #runs = new Set<SimulatedRun>();
  #isLost = false;
  /** Turns of processes that are no more. */
  readonly #left: UnendedTurns[] = [];

  constructor(
    name: string,
    world: World,
    database: Database,
    invariants: Invariants,
    mutation: Mutation,
  ) {
    this.name = name;
    this.#world = world;
    this.#database = database;
    this.#invariants = invariants;
    this.#mutation = mutation;
    this.way = new Way(world);
  }

  get process(): Process | undefined {
    return this.#process;
  }

  /** Whether it takes turns. */
  get isServing(): boolean {
    return this.#serving !== undefined;
  }

  /** Its machine is gone for good, with its disk. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Loses its machine for good. */
  lose(): void {
    this.#isLost = true;
    this.kill(true);
  }

  /** Starts it, on its own disk. */
  start(): void {
    if (this.#process !== undefined || this.#isLost) return;
    const process = new Process(this.#world, 1 + this.#world.between(-RATE, RATE) / 1000);
    this.#process = process;
    this.#world.tell(`${this.name} starts`);
    this.#open(process).catch((error: Error) => {
      if (this.#process !== process) return;
      this.#world.tell(`${this.name} cannot start: ${error.message}`);
      this.kill();
      this.#world.after(RESTART_MS, () => this.start());
    });
  }

  /** Ends it and its agents, in the middle of whatever it does. @param isSilent - The database does not hear of it. */
  kill(isSilent = false): void {
    const { unended } = this.#serving ?? {};
    this.#serving = undefined;
    this.#process?.kill();
    this.#process = undefined;
    for (const run of [...this.#runs]) run.gone();
    this.#runs = new Set();
    if (unended !== undefined) this.#left.push(unended);
    if (!isSilent) this.way.lose();
    this.way.abandon();
  }

  /** Has it end what it does, end its lease and exit. It starts again then. */
  drain(graceMs: number): void {
    this.#process?.do(async () => {
      const [process, serving] = [this.#process, this.#serving];
      if (serving === undefined) return;
      this.#world.tell(`${this.name} drains`);
      await serving.unended.drain(graceMs);
      serving.keeper.stop();
      await serving.store.close().catch(() => {});
      if (this.#process !== process) return;
      this.#world.tell(`${this.name} has drained`);
      this.kill();
      this.#world.after(RESTART_MS, () => this.start());
    });
  }

  /** Has it record a turn and run it. Never resolves where it dies meanwhile. */
  run(start: TurnStart): Promise<StartedTurn> {
    const { promise, resolve, reject } = Promise.withResolvers<StartedTurn>();
    const serving = this.#serving;
    const process = this.#process;
    if (serving === undefined || process === undefined) {
      return Promise.reject(new Error("nobody answers"));
    }
    process.do(() => {
      const refusal = serving.unended.refusal(start.principal);
      const asked = { ...start, ...(refusal && { refusal }) };
      const begin = (started: StartedTurn) => this.#begin(started, start, serving, process);
      const ask = () => serving.unended.create(asked, begin);
      const askAgain = async (error: unknown) => {
        const home = homeOf(error);
        if (home === undefined || !(await serving.keeper.takeOver(home))) throw error;
        return ask();
      };
      ask().catch(askAgain).then(resolve, reject);
    });
    return promise;
  }

  /** Lets go of what it waits by: the simulation is over. */
  end(): void {
    this.kill();
    for (const unended of this.#left) void unended.drain(0).catch(() => {});
  }

  async #open(process: Process): Promise<void> {
    const { timers } = process;
    const driver = simulatedDriver({
      world: this.#world,
      database: this.#database,
      process,
      way: this.way,
      hearsWarnings: this.#mutation.hearsWarnings ?? true,
    });
    const hosts = this.#database.hosts.map(({ name }) => ({ host: name, port: 5432 }));
    const opened = await openPostgres(hosts, silent, undefined, { driver, timers });
    const terms = { ...TERMS, ...this.#mutation.terms };
    const given = await opened.openStore(this.name, { ...terms, leaseMs: TERMS.leaseMs });
    this.#invariants.opened(this.name, process, given.lease.epoch);
    const leased = { ...given, lease: { ...given.lease, terms } };
    const store = this.#watched(this.#mutation.store?.(leased) ?? leased, process);
    const unended = new UnendedTurns(store, { maxConcurrentTurns: 50, maxPrincipalTurns: 0 });
    const audit = new TurnAudit(undefined);
    const takeOver = (owner: string) =>
      takeOverTurns(owner, { store, log: silent, audit, happenings: NOBODY_TOLD, unended, timers });
    const consequences: LeaseConsequences = {
      stopAll: (why) => {
        this.#world.tell(`${this.name} stops its agents: ${why.message}`);
        unended.fail(why);
      },
      allowAll: () => unended.allow(),
      fenced: () => this.drain(0),
      takeOver,
    };
    const mutated = this.#mutation.consequences?.(consequences) ?? consequences;
    const keeper = new LeaseKeeper(store, silent, mutated, timers);
    await takeOver(this.name);
    await keeper.start();
    this.#serving = { store, unended, keeper };
    this.#world.tell(`${this.name} serves, incarnation ${store.lease.epoch}`);
  }

  /** Tells what it was answered. */
  #watched(store: Store, process: Process): Store {
    const invariants = this.#invariants;
    return {
      ...store,
      async append(batch, epoch) {
        try {
          await store.append(batch, epoch);
        } catch (error) {
          invariants.refused(process, error as Error);
          throw error;
        }
        invariants.acknowledged(batch);
      },
    };
  }

  #begin(started: StartedTurn, start: TurnStart, serving: Serving, process: Process): RunningTurn {
    const { turn, session } = started;
    const ids = {
      ...{ turnId: turn.turnId, sessionKey: turn.sessionKey, epoch: turn.epoch },
      requestId: start.requestId,
    };
    const run = new SimulatedRun(this.#world, process, ids, {
      began: () => this.#invariants.agentStarted(run, this.name),
      over: () => {
        this.#runs.delete(run);
        this.#invariants.agentGone(run);
      },
    });
    this.#runs.add(run);
    const days = new DaySpendings({ costUsd: 0, modelTurns: 0 });
    const unbounded = boundsOf({ maxCostUsd: 0, maxModelTurns: 0 }, {});
    return new RunningTurn(
      turn,
      session,
      LIMITS,
      (reached) => new TurnSpending(started, unbounded, days, reached),
      {
        store: serving.store,
        agents: drivenAgents(new DrivenAgent()),
        log: silent,
        happenings: NOBODY_TOLD,
        audit: new TurnAudit(undefined),
        recentEvents: new RecentEventsBudget(),
        days,
        timers: process.timers,
      },
      { run },
    );
  }
}
