import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { LeaseTerms } from "../../src/store/lease.ts";
import { openSqliteFile } from "../../src/store/sqlite/sqlite-store.ts";
import type { Store } from "../../src/store/store.ts";
import type { RunRequest } from "../../src/turn-requests.ts";
import { decodeEvent } from "../../src/turns/encoded-event.ts";
import { Turns } from "../../src/turns/turns.ts";
import { callerNamed } from "../support/caller.ts";
import { DrivenAgent, type DrivenRun } from "./driven-agent.ts";
import { HOUR_MS, optionsOf, PRINCIPAL, REQUEST, type Settings } from "./driven-turns.ts";

/** Leases are looked at all the time, and run out when a test has the time pass. */
export const TERMS: LeaseTerms = { renewMs: 5, graceMs: HOUR_MS, leaseMs: 100 };

/** One of two servers on a store, with an agent and workspaces of its own. */
export interface DrivenServer {
  readonly name: string;
  readonly turns: Turns;
  readonly agent: DrivenAgent;
  readonly store: Store;
  readonly sessionsDir: string;
  /** Resolves when it has taken over what was there. */
  readonly recovered: Promise<void>;
  /** From now on the store does not answer it, as where it is stopped, or its network is. */
  cut(): void;
  /** All that was asked for meanwhile is done now, in its order. */
  mend(): void;
  /** Starts a turn there, in a session of its own unless told otherwise; its agent has begun. */
  begin(request?: Partial<RunRequest>): Promise<{ turnId: string; run: DrivenRun }>;
}

export interface TwoServers extends AsyncDisposable {
  readonly one: DrivenServer;
  readonly other: DrivenServer;
  /** The server of that name starts again, on the same disk. The one before does not know of it. */
  restart(name: string, more?: Settings): Promise<DrivenServer>;
  /** As `restart`, and the store does not answer it from the beginning on. */
  restartCut(name: string): Promise<DrivenServer>;
  /** So much time passes, as leases are held. Who renews them goes on. */
  passLeases(ms: number): void;
  readLog(turnId: string): Promise<TurnEvent[]>;
}

/** Starts two servers on one store, which have taken over what was there: nothing. */
export async function startTwoServers(
  settings: Settings = {},
  terms: LeaseTerms = TERMS,
): Promise<TwoServers> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-servers-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true }));
  let owning: AsyncDisposableStack = cleanup;
  let now = 0;
  const file = await openSqliteFile(join(root, "breakglass.db"), () => now);
  cleanup.defer(() => file.close());
  const start = async (name: string, more: Settings = {}, isCut = false) => {
    const store = await file.openStore(name, terms);
    const server = await startServer(store, join(root, name), { ...settings, ...more }, isCut);
    owning.defer(async () => {
      server.mend();
      await server.turns.drain(0);
    });
    return server;
  };
  const [one, other] = [await start("one"), await start("other")];
  const reader = await file.openStore("reader");
  owning = cleanup.move();
  return {
    ...{ one, other, restart: start },
    restartCut: (name) => start(name, {}, true),
    passLeases(ms) {
      now += ms;
    },
    readLog: async (turnId) => (await reader.readEvents(turnId, 0, Infinity)).map(decodeEvent),
    [Symbol.asyncDispose]: () => owning.disposeAsync(),
  };
}

/** @param isCut - The store does not answer it from the beginning on. */
async function startServer(
  opened: Store,
  sessionsDir: string,
  settings: Settings,
  isCut: boolean,
): Promise<DrivenServer> {
  await mkdir(sessionsDir, { recursive: true });
  const way = new Way();
  const store = way.to(opened);
  const agent = new DrivenAgent();
  const turns = new Turns(optionsOf(settings, store, agent, sessionsDir));
  if (isCut) way.cut();
  const recovered = turns.recover();
  if (!isCut) await recovered;
  return {
    ...{ name: opened.lease.owner, turns, agent, store, sessionsDir, recovered },
    cut: () => way.cut(),
    mend: () => way.mend(),
    async begin(request = {}) {
      const prompt = randomUUID();
      const { turnId } = await turns.run(
        { ...REQUEST, prompt, ...request },
        callerNamed(PRINCIPAL),
      );
      const run = agent.runOf(prompt);
      await run.started;
      return { turnId, run };
    },
  };
}

/** The way from a server to a store, which can be cut: what is asked for then stands in a queue. */
class Way {
  #waiting: (() => void)[] | undefined;

  cut(): void {
    this.#waiting ??= [];
  }

  mend(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const go of waiting) go();
  }

  /** The same store at its other end. */
  to(store: Store): Store {
    return new Proxy(store, {
      get: (_, name: keyof Store) => {
        const member = store[name];
        if (typeof member !== "function") return member;
        return (...args: never[]) => this.#go(() => (member as Ask)(...args));
      },
    });
  }

  async #go(ask: () => Promise<unknown>): Promise<unknown> {
    if (this.#waiting !== undefined) {
      await new Promise<void>((resolve) => this.#waiting!.push(resolve));
    }
    return ask();
  }
}

type Ask = (...args: never[]) => Promise<unknown>;
