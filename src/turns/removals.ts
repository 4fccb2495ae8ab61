import { setTimeout as delay } from "node:timers/promises";
import type { LeftFiles } from "../files/remove-tree.ts";
import { TreeRemovals } from "../files/tree-removals.ts";
import type { RemovedSession } from "../store/records.ts";
import type { ActiveSessions } from "./active-sessions.ts";
import type { TurnSurroundings } from "./turn-surroundings.ts";

/** Before what could not be removed is tried again, doubling: for want of a file descriptor, or for good. */
const AGAIN_MS = { first: 1000, longest: 3600_000 };

/**
 * Removes what is off the record: what is still in the store, and what sessions have left outside it, the workspace and
 * what the agent kept.
 *
 * 1. What could not be removed is in the log, and stays on the store's list for other tries, at last hourly, and at the next start.
 * 2. Nothing of a session that is on record is touched: not one that was opened again under the same id either.
 */
export class Removals {
  readonly #surroundings: Pick<TurnSurroundings, "store" | "agents" | "log" | "moves">;
  readonly #sessions: ActiveSessions;
  readonly #closing: AbortSignal;
  readonly #trees = new TreeRemovals();
  #emptying: Promise<boolean> | undefined;
  /** More may have come off the record than the removal that is going on has seen. */
  #hasMore = false;

  /** @param closing - Ends it: the next start goes on. */
  constructor(
    surroundings: Pick<TurnSurroundings, "store" | "agents" | "log" | "moves">,
    sessions: ActiveSessions,
    closing: AbortSignal,
  ) {
    this.#surroundings = surroundings;
    this.#sessions = sessions;
    this.#closing = closing;
  }

  /**
   * Removes a session's files, and all that is off the record from the store. Answers whether nothing is left. Never rejects.
   *
   * @param againMs - When files that are left are tried again.
   */
  async remove(session: RemovedSession, againMs = AGAIN_MS.first): Promise<boolean> {
    const files = this.#sessions.of(session.sessionKey).remove(async () => {
      const areGone = await this.#removeFiles(session);
      if (!areGone) void this.#tryAgain(session, againMs);
      return areGone;
    });
    const [filesGone, rowsGone] = await Promise.all([files, this.removeRows()]);
    return filesGone && rowsGone;
  }

  /** Removes a workspace that no session has. Never rejects; what is left is in the log. */
  async removeWorkspace(workspace: string): Promise<boolean> {
    const left = await this.#trees.remove(workspace);
    if (left.count > 0) this.#tell(workspace, left);
    return left.count === 0;
  }

  /**
   * Removes what is off the record from the store, piece by piece, so that what others ask of the store comes between.
   * Answers whether all is gone. Never rejects.
   */
  removeRows(): Promise<boolean> {
    this.#hasMore = true;
    this.#emptying ??= this.#removePieces();
    return this.#emptying;
  }

  /** Finishes what a server before this one began. Resolves when all was tried. Never rejects. */
  async recover(): Promise<void> {
    const { store, log } = this.#surroundings;
    try {
      const rows = this.removeRows();
      const removals = await store.listRemovals(store.lease.owner);
      await Promise.all(removals.map((session) => this.remove(session)));
      await rows;
    } catch (error) {
      log.error("the sessions to be removed cannot be listed", { error });
    }
  }

  async #removePieces(): Promise<boolean> {
    const { store, log } = this.#surroundings;
    try {
      while (this.#hasMore && !this.#closing.aborted) {
        this.#hasMore = false;
        if (await store.removeSome()) this.#hasMore = true;
      }
      return !this.#closing.aborted;
    } catch (error) {
      if (!this.#closing.aborted) log.error("what was removed is still in the store", { error });
      return false;
    } finally {
      // At once: who comes now begins another.
      this.#emptying = undefined;
    }
  }

  /** 2. The workspace and the conversations are no other session's; who asks has seen to the processes. */
  async #removeFiles(removed: RemovedSession): Promise<boolean> {
    const { workspace, agentKind, agentSessionIds } = removed;
    const { store, agents, log, moves } = this.#surroundings;
    try {
      await agents.of(agentKind).forget(agentSessionIds, workspace);
      if (!(await this.removeWorkspace(workspace))) return false;
      if ((await moves?.forget?.(removed.sessionKey)) === false) return false;
      await store.recordRemoved(workspace);
      return true;
    } catch (error) {
      if (!this.#closing.aborted) {
        log.error("a removed session left files behind", { workspace, error });
      }
      return false;
    }
  }

  async #tryAgain(session: RemovedSession, afterMs: number): Promise<void> {
    await delay(afterMs, undefined, { signal: this.#closing, ref: false }).catch(() => {});
    if (this.#closing.aborted) return;
    await this.remove(session, Math.min(2 * afterMs, AGAIN_MS.longest));
  }

  #tell(workspace: string, { files, count }: LeftFiles): void {
    const { log } = this.#surroundings;
    log.error("a removed session left files behind", { workspace, left: files, count });
  }
}
