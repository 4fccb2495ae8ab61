import { homeOf } from "../errors.ts";
import type { Caller } from "../identity/caller.ts";
import type { SessionHome } from "../store/commands.ts";
import { ownView } from "../store/lists.ts";
import type { TurnRecord } from "../store/records.ts";
import { byDeadline } from "../stream/deadline.ts";
import type { RunRequest } from "../turn-requests.ts";
import type { ActiveSessions } from "./active-sessions.ts";
import type { Removals } from "./removals.ts";
import { type StartPolicy, startTurn } from "./turn-start.ts";
import type { TurnSurroundings } from "./turn-surroundings.ts";
import type { UnendedTurns } from "./unended-turns.ts";

interface SessionCommandSurroundings
  extends Pick<TurnSurroundings, "store" | "agents">,
    StartPolicy {
  readonly unended: UnendedTurns;
  readonly sessions: ActiveSessions;
  readonly removals: Removals;
}

/** How long a deletion is waited for; it goes on behind the answer. */
const DELETION_MS = 10_000;

/**
 * What callers ask of sessions.
 *
 * 1. A session's turns run, and its files are removed, on its home: what is asked of this server goes there, once.
 * 2. What another server sends is done here or refused. It is sent on to nobody.
 * 3. A removal goes on behind its answer, and nothing that is on record waits for it.
 */
export class SessionCommands {
  readonly #surroundings: SessionCommandSurroundings;

  constructor(surroundings: SessionCommandSurroundings) {
    this.#surroundings = surroundings;
  }

  /** What is done here for other servers. */
  get home(): SessionHome {
    return {
      run: async (request, caller) => (await this.#runHere(request, caller)).turnId,
      deleteSession: (sessionId, caller) => this.#deleteHere(sessionId, caller), // 2.
    };
  }

  /** As `Turns.run`. */
  run(request: RunRequest, caller: Caller): Promise<TurnRecord> {
    return this.#atHome(
      () => this.#runHere(request, caller),
      async (home) => {
        const turnId = await home.run(request, caller);
        return this.#surroundings.store.getTurn(turnId, ownView(caller.name));
      },
    );
  }

  /** As `Turns.deleteSession`. */
  deleteSession(sessionId: string, caller: Caller): Promise<boolean> {
    return this.#atHome(
      () => this.#deleteHere(sessionId, caller),
      (home) => home.deleteSession(sessionId, caller),
    );
  }

  async #atHome<T>(here: () => Promise<T>, there: (home: SessionHome) => Promise<T>): Promise<T> {
    try {
      return await here();
    } catch (error) {
      const name = homeOf(error);
      if (name === undefined) throw error;
      return there(this.#surroundings.store.commands.homeOf(name)); // 1.
    }
  }

  #runHere(request: RunRequest, caller: Caller): Promise<TurnRecord> {
    const { unended, sessions } = this.#surroundings;
    return startTurn(request, caller, this.#surroundings, unended, (started) =>
      sessions.of(started.turn.sessionKey).begin(started, request),
    );
  }

  async #deleteHere(sessionId: string, caller: Caller): Promise<boolean> {
    const { store, removals } = this.#surroundings;
    const { owner, epoch } = store.lease;
    const name = { principal: caller.name, sessionId };
    const { sessionKey } = await store.getSession(name, ownView(caller.name));
    const removed = await store.deleteSession(sessionKey, Date.now(), epoch);
    if (removed.home === owner) {
      return byDeadline(removals.remove(removed), DELETION_MS, false, false); // 3.
    }
    // Its home is away, and finds it on its list when it is back.
    void removals.removeRows();
    return false;
  }
}
