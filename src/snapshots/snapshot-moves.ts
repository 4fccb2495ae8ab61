import type { BroughtSession, MovedSession, SessionMoves } from "../turns/session-moves.ts";
import type { WorkspaceSnapshots } from "./workspace-snapshots.ts";

/** Has sessions that move find their workspaces as the newest snapshot has them, beside what another brings. */
export class SnapshotMoves implements SessionMoves {
  readonly #conversations: SessionMoves;
  readonly #snapshots: WorkspaceSnapshots;

  /** @param conversations - Makes the workspace where it is not there. */
  constructor(conversations: SessionMoves, snapshots: WorkspaceSnapshots) {
    this.#conversations = conversations;
    this.#snapshots = snapshots;
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

  async drain(ms: number): Promise<void> {
    await Promise.all([this.#conversations.drain(ms), this.#snapshots.drain(ms)]);
  }
}
