import type { Log } from "../log.ts";
import type { Store } from "../store/store.ts";
import type { BroughtSession, MovedSession, SessionMoves } from "../turns/session-moves.ts";
import type { WorkspaceSnapshots } from "./workspace-snapshots.ts";

/** So many sessions are listed at once. */
const PAGE = 100;

/** What is kept of sessions, and of those that a server before this one did not come to keep. */
export interface RecoveredMoves extends SessionMoves {
  /** Keeps what a server before this one did not come to keep. Never rejects. */
  recover(): Promise<void>;
}

/** Has sessions that move find their workspaces as the newest snapshot has them, beside what another brings. */
export class SnapshotMoves implements RecoveredMoves {
  readonly #conversations: RecoveredMoves;
  readonly #snapshots: WorkspaceSnapshots;
  readonly #store: Pick<Store, "lease" | "listUnkept">;
  readonly #log: Log;

  /** @param conversations - Makes the workspace where it is not there. */
  constructor(
    conversations: RecoveredMoves,
    snapshots: WorkspaceSnapshots,
    store: Pick<Store, "lease" | "listUnkept">,
    log: Log,
  ) {
    this.#conversations = conversations;
    this.#snapshots = snapshots;
    this.#store = store;
    this.#log = log;
  }

  async bring(session: MovedSession): Promise<BroughtSession> {
    const snapshotTime = await this.#snapshots.restore(session);
    const brought = await this.#conversations.bring(session);
    return { ...brought, snapshotTime };
  }

  keep(session: MovedSession): void {
    this.#conversations.keep(session);
    this.#snapshots.keep(session);
  }

  async forget(sessionKey: string): Promise<boolean> {
    const [ours, theirs] = await Promise.all([
      this.#snapshots.forget(sessionKey),
      this.#conversations.forget?.(sessionKey) ?? true,
    ]);
    return ours && theirs;
  }

  async recover(): Promise<void> {
    // First: what is kept of conversations is listed no more.
    await this.#keepUnkept();
    await this.#conversations.recover();
  }

  async drain(ms: number): Promise<void> {
    await Promise.all([this.#conversations.drain(ms), this.#snapshots.drain(ms)]);
  }

  async #keepUnkept(): Promise<void> {
    try {
      for (let after = ""; ; ) {
        const unkept = await this.#store.listUnkept(this.#store.lease.owner, PAGE, after);
        for (const { agentSessionId, ...session } of unkept) {
          this.#snapshots.keep({ ...session, conversationId: agentSessionId });
        }
        if (unkept.length < PAGE) return;
        after = unkept.at(-1)!.sessionKey;
      }
    } catch (error) {
      this.#log.warn("the workspaces that are in no snapshot cannot be listed", { error });
    }
  }
}
