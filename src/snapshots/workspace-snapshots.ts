import { Refusal } from "../errors.ts";
import type { Owner } from "../files/owner.ts";
import type { Log } from "../log.ts";
import type { Store } from "../store/store.ts";
import { AskedThread, workerBeside } from "../stream/asked-thread.ts";
import { byDeadline } from "../stream/deadline.ts";
import type { MovedSession } from "../turns/session-moves.ts";
import type { SnapshotAnswer, SnapshotJob, SnapshotLimits } from "./snapshot-jobs.ts";
import { folderOf, keyText } from "./snapshot-key.ts";
import type { SnapshotAddress } from "./snapshot-place.ts";
import { SnapshotQueue } from "./snapshot-queue.ts";
import type { LeftOut } from "./tree-walk.ts";

/** A workspace is not waited for longer, in the turn that wants it. */
const RESTORE_MS = 120_000;
/** Of so many sessions it is known what their workspaces were like. */
const MOST_KNOWN = 10_000;

/** What snapshots are taken and restored with. */
export interface SnapshotSurroundings {
  readonly store: Pick<Store, "lease" | "findSnapshot" | "recordSnapshot">;
  readonly log: Log;
  readonly address: SnapshotAddress;
  readonly limits: SnapshotLimits;
  /** From one of a session to the next at least. */
  readonly intervalMs: number;
  /** Whose workspaces are. Undefined: the server's own. */
  readonly filesOwner?: Owner | undefined;
}

/**
 * Snapshots of workspaces, by which a session that moves finds its files.
 *
 * 1. They are taken behind turns and in nobody's way: by a thread of its own, one at a time, at a pace, and of what has changed.
 * 2. A snapshot counts when the session's row names it, and not before. The row is written under the server's lease, and only
 *    by the session's home: what a server writes that is none any more is no snapshot.
 * 3. Removed are those that no row can come to name: of a session's own incarnations up to the present one, but for the one
 *    that is named.
 * 4. What cannot be taken leaves the one before, which is then what is restored, with its time.
 */
export class WorkspaceSnapshots {
  readonly #surroundings: SnapshotSurroundings;
  readonly #queue: SnapshotQueue;
  readonly #saving = createThread();
  /** A turn waits for it. */
  readonly #restoring = createThread();
  /** What workspaces were like when they were saved last. */
  readonly #fingerprints = new Map<string, string>();
  readonly #toldTooLarge = new Set<string>();

  constructor(surroundings: SnapshotSurroundings) {
    this.#surroundings = surroundings;
    this.#queue = new SnapshotQueue(surroundings.intervalMs, (session) => this.#take(session));
  }

  /** A session's workspace may have changed. Returns at once. */
  keep(session: MovedSession): void {
    if (this.#queue.add(session)) return;
    const { sessionId } = session;
    this.#surroundings.log.warn("no snapshot is taken of a workspace: too many wait", {
      sessionId,
    });
  }

  /**
   * Makes a session's workspace, which is not there, from the newest snapshot. Answers when that was taken; undefined: there is
   * none, or it cannot be restored, and nothing is there. Never rejects.
   */
  async restore({ sessionId, sessionKey, workspace }: MovedSession): Promise<Date | undefined> {
    const { store, log, address, limits, filesOwner: owner } = this.#surroundings;
    try {
      const { snapshot } = await store.findSnapshot(sessionKey);
      if (snapshot === undefined) return undefined;
      const { key, time } = snapshot;
      const within = { ...limits, longestMs: RESTORE_MS };
      const job = { kind: "restore", address, key, workspace, limits: within, owner } as const;
      const answer = await this.#restoring.ask(job);
      if (answer.outcome === "restored") {
        const snapshotTime = new Date(time);
        log.info("a workspace was restored from a snapshot", { sessionId, snapshotTime });
        this.#tellLeftOut(sessionId, answer.leftOut);
        return snapshotTime;
      }
      log.error("a workspace cannot be restored from its snapshot", { sessionId, key, ...answer });
    } catch (error) {
      log.error("a workspace cannot be restored from its snapshot", { sessionId, error });
    }
    return undefined;
  }

  /** Removes a deleted session's. Answers whether none is left. Never rejects. */
  async forget(sessionKey: string): Promise<boolean> {
    this.#queue.drop(sessionKey);
    this.#fingerprints.delete(sessionKey);
    this.#toldTooLarge.delete(sessionKey);
    return this.#remove(sessionKey, undefined, undefined);
  }

  /** Takes what waits, for so long at most. */
  async drain(ms: number): Promise<void> {
    await byDeadline(this.#queue.drain(), ms, undefined, false);
    const count = this.#queue.size;
    if (count > 0) {
      this.#surroundings.log.warn("the newest of some workspaces is in no snapshot", { count });
    }
    this.#saving.end();
    this.#restoring.end();
  }

  /** Answers whether it is not to be tried again. */
  async #take(session: MovedSession): Promise<boolean> {
    const { sessionId, sessionKey, workspace } = session;
    const { store, log, address, limits } = this.#surroundings;
    try {
      const { newestTurnId: turnId } = await store.findSnapshot(sessionKey);
      const time = Date.now();
      const key = keyText({ sessionKey, epoch: store.lease.epoch, turnId, time });
      const fingerprint = this.#fingerprints.get(sessionKey);
      const job = { kind: "save", address, key, workspace, limits, fingerprint } as const;
      const answer = await this.#saving.ask(job);
      if (answer.outcome === "saved") {
        await this.#record(sessionKey, key, time);
        this.#know(sessionKey, answer.fingerprint);
        this.#tellLeftOut(sessionId, answer.leftOut);
        return true;
      }
      if (answer.outcome === "unchanged") return true;
      if (answer.outcome === "too-large") {
        this.#tellTooLarge(session, answer.message);
        return true;
      }
      log.warn("no snapshot could be taken of a workspace", { sessionId, ...answer });
      return false;
    } catch (error) {
      if (error instanceof Refusal && error.reason !== "STORAGE") return true; // It is not ours.
      log.warn("no snapshot could be taken of a workspace", { sessionId, error });
      return false;
    }
  }

  /** 2., 3. */
  async #record(sessionKey: string, key: string, time: number): Promise<void> {
    const { store } = this.#surroundings;
    const { epoch } = store.lease;
    try {
      await store.recordSnapshot(sessionKey, { key, time }, epoch);
    } catch (error) {
      // Where the store failed the row may name it all the same.
      if (error instanceof Refusal && error.reason !== "STORAGE") {
        await this.#removeOne(key);
      }
      throw error;
    }
    await this.#remove(sessionKey, key, epoch);
  }

  async #remove(
    sessionKey: string,
    except: string | undefined,
    upTo: number | undefined,
  ): Promise<boolean> {
    const session = folderOf(sessionKey);
    return this.#removed({
      kind: "remove",
      address: this.#surroundings.address,
      session,
      except,
      upTo,
    });
  }

  async #removeOne(key: string): Promise<void> {
    await this.#removed({ kind: "remove-one", address: this.#surroundings.address, key });
  }

  async #removed(job: SnapshotJob): Promise<boolean> {
    const { log } = this.#surroundings;
    try {
      const answer = await this.#saving.ask(job);
      if (answer.outcome === "removed") return true;
      log.warn("snapshots of a workspace cannot be removed", { ...answer });
    } catch (error) {
      log.warn("snapshots of a workspace cannot be removed", { error });
    }
    return false;
  }

  #know(sessionKey: string, fingerprint: string): void {
    this.#toldTooLarge.delete(sessionKey);
    this.#fingerprints.delete(sessionKey);
    this.#fingerprints.set(sessionKey, fingerprint);
    if (this.#fingerprints.size <= MOST_KNOWN) return;
    this.#fingerprints.delete(this.#fingerprints.keys().next().value!);
  }

  #tellTooLarge({ sessionId, sessionKey, workspace }: MovedSession, why: string): void {
    if (this.#toldTooLarge.has(sessionKey)) return;
    this.#toldTooLarge.add(sessionKey);
    const { log, limits } = this.#surroundings;
    const { maxBytes } = limits;
    log.warn("a workspace is too large for a snapshot", { sessionId, workspace, maxBytes, why });
  }

  #tellLeftOut(sessionId: string, { count, some }: LeftOut): void {
    if (count === 0) return;
    this.#surroundings.log.info("a snapshot is without some of its workspace", {
      ...{ sessionId, count, some },
    });
  }
}

function createThread(): AskedThread<SnapshotJob, SnapshotAnswer> {
  return new AskedThread(workerBeside(import.meta.url, "snapshot-worker"));
}
