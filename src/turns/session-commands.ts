import { homeOf } from "../errors.ts";
import type { Caller } from "../identity/caller.ts";
import type { Permissions } from "../identity/permissions.ts";
import type { SessionHome } from "../store/commands.ts";
import type { ListedSession } from "../store/lists.ts";
import type { TurnRecord } from "../store/records.ts";
import type { Grantee, SessionName } from "../store/views.ts";
import { byDeadline } from "../stream/deadline.ts";
import type { RunRequest } from "../turn-requests.ts";
import type { ActiveSessions } from "./active-sessions.ts";
import type { DaySpendings } from "./day-spendings.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import type { Removals } from "./removals.ts";
import { refuseOwner, type SentShare, type ShownSession, shownTo } from "./shown-sessions.ts";
import { type StartPolicy, startTurn } from "./turn-start.ts";
import type { TurnSurroundings } from "./turn-surroundings.ts";
import type { UnendedTurns } from "./unended-turns.ts";
import type { WorkspaceSizes } from "./workspace-sizes.ts";

interface SessionCommandSurroundings
  extends Pick<TurnSurroundings, "store" | "agents" | "audit">,
    StartPolicy {
  readonly permissions: Permissions;
  readonly unended: UnendedTurns;
  readonly days: DaySpendings;
  readonly sizes: WorkspaceSizes;
  readonly sessions: ActiveSessions;
  readonly removals: Removals;
  readonly lease: Pick<LeaseKeeper, "takeOver">;
}

/** How long a deletion is waited for; it goes on behind the answer. */
const DELETION_MS = 10_000;
/** Each costs a row with each turn. */
const MOST_SHARES = 100;

/**
 * What callers ask of sessions.
 *
 * 1. A session's turns run, and its files are removed, on its home: what is asked of this server goes there, once.
 * 2. What another server sends is done here or refused. It is sent on to nobody.
 * 3. A removal goes on behind its answer, and nothing that is on record waits for it.
 * 4. An id alone means the caller's own session: what others share under it is not met.
 * 5. A home that is gone is asked for nothing: what it left is ended, and the session goes on here.
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
      deleteSession: (name, caller) => this.#deleteHere(name, caller), // 2.
    };
  }

  /** As `Turns.run`. */
  run(request: RunRequest, caller: Caller): Promise<TurnRecord> {
    return this.#atHome(
      () => this.#runHere(request, caller),
      async (home) => {
        const turnId = await home.run(request, caller);
        const { store, permissions } = this.#surroundings;
        return store.getTurn(turnId, permissions.viewOf(caller));
      },
    );
  }

  /** As `Turns.deleteSession`. */
  deleteSession(name: SessionName, caller: Caller): Promise<boolean> {
    return this.#atHome(
      () => this.#deleteHere(name, caller),
      (home) => home.deleteSession(name, caller),
    );
  }

  /** As `Turns.getSession`. */
  async getSession(name: SessionName, caller: Caller): Promise<ShownSession> {
    const { store, permissions } = this.#surroundings;
    return shownTo(caller, await store.getSession(name, permissions.viewOf(caller)), permissions);
  }

  /** As `Turns.shareSession`. */
  async share(name: SessionName, share: SentShare, caller: Caller): Promise<ShownSession> {
    const { store, audit } = this.#surroundings;
    const { sessionKey, principal } = await this.#found(name, caller, "refusalToShare");
    refuseOwner(principal, share.grantee);
    const made = { ...share, createTime: Date.now() };
    const entries = audit.shared("session_shared", name, share, caller);
    await store.shareSession(sessionKey, made, MOST_SHARES, store.lease.epoch, entries);
    return this.getSession(name, caller);
  }

  /** As `Turns.unshareSession`. */
  async unshare(name: SessionName, grantee: Grantee, caller: Caller): Promise<ShownSession> {
    const { store, audit } = this.#surroundings;
    const { sessionKey } = await this.#found(name, caller, "refusalToShare");
    const entries = audit.shared("session_unshared", name, { grantee }, caller);
    await store.unshareSession(sessionKey, grantee, store.lease.epoch, entries);
    return this.getSession(name, caller);
  }

  async #atHome<T>(here: () => Promise<T>, there: (home: SessionHome) => Promise<T>): Promise<T> {
    const { lease, store } = this.#surroundings;
    for (let isFirst = true; ; isFirst = false) {
      try {
        return await here();
      } catch (error) {
        const name = homeOf(error);
        if (name === undefined) throw error;
        const isGone = isFirst && (await lease.takeOver(name)); // 5.
        if (!isGone) return there(store.commands.homeOf(name)); // 1.
      }
    }
  }

  async #runHere(request: RunRequest, caller: Caller): Promise<TurnRecord> {
    const { unended, sessions } = this.#surroundings;
    const found = this.#keyOf(request, caller);
    const sessionKey = found instanceof Promise ? await found : found;
    return startTurn(request, caller, sessionKey, this.#surroundings, unended, (started) =>
      sessions.of(started.turn.sessionKey).begin(started, request),
    );
  }

  /**
   * The key of another principal's session in which a turn is to run; empty where it is to run in the caller's own. 4. What
   * others share is met only by whose it is.
   */
  #keyOf(
    { sessionId, sessionPrincipal: principal }: RunRequest,
    caller: Caller,
  ): string | Promise<string> {
    if (principal !== "" && principal !== caller.name) {
      const found = this.#found({ principal, sessionId }, caller, "refusalToOperate");
      return found.then(({ sessionKey }) => sessionKey);
    }
    const refusal = this.#surroundings.permissions.refusalToOperate(caller, "own");
    if (refusal !== undefined) throw refusal;
    return "";
  }

  /**
   * A session that a caller sees, and may do something to.
   *
   * @throws Refusal NOT_FOUND where they do not see it, and else why they may not.
   */
  async #found(
    name: SessionName,
    caller: Caller,
    refusalTo: "refusalToOperate" | "refusalToShare",
  ): Promise<ListedSession> {
    const { store, permissions } = this.#surroundings;
    const session = await store.getSession(name, permissions.viewOf(caller));
    const refusal = permissions[refusalTo](caller, permissions.standingOf(caller, session));
    if (refusal !== undefined) throw refusal;
    return session;
  }

  /** The caller's own at once, by its name: what is asked for next finds it gone. */
  #toDelete(name: SessionName, caller: Caller): SessionName | Promise<string> {
    const isOwn = name.principal === caller.name;
    const { permissions } = this.#surroundings;
    if (isOwn && permissions.refusalToOperate(caller, "own") === undefined) return name;
    return this.#found(name, caller, "refusalToOperate").then(({ sessionKey }) => sessionKey);
  }

  async #deleteHere(name: SessionName, caller: Caller): Promise<boolean> {
    const { store, removals, sizes, audit } = this.#surroundings;
    const { owner, epoch } = store.lease;
    const toDelete = this.#toDelete(name, caller);
    const session = toDelete instanceof Promise ? await toDelete : toDelete;
    const entries = audit.deleted(name, caller);
    const removed = await store.deleteSession(session, Date.now(), epoch, entries);
    sizes.forget(removed.sessionKey);
    if (removed.home === owner) {
      return byDeadline(removals.remove(removed), DELETION_MS, false, false); // 3.
    }
    // Its home is away, and finds it on its list when it is back.
    void removals.removeRows();
    return false;
  }
}
