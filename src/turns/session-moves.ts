import { mkdir } from "node:fs/promises";

/** A session that was at home on another server's disk, and is here from now on. */
export interface MovedSession {
  readonly sessionId: string;
  /** As the store has it. */
  readonly sessionKey: string;
  /** The kind of its agent. */
  readonly agentKind: string;
  /** The agent's id of its conversation. Empty: it has none yet. */
  readonly conversationId: string;
  /** Where its workspace is to be, which is not there yet. */
  readonly workspace: string;
}

/** What there was of a session that moved. */
export interface BroughtSession {
  /** Whether its agent goes on with its conversation. */
  readonly remembers: boolean;
  /** When the snapshot of its workspace was taken. Undefined: the workspace is empty. */
  readonly snapshotTime?: Date | undefined;
}

/** What is kept of sessions so that another server can go on with them. */
export interface SessionMoves {
  /** Puts workspace and conversation of a session where its agent looks for them, before its first process here. Never throws: what could not be brought is in what it answers. */
  bring(session: MovedSession): Promise<BroughtSession>;
  /** A turn of the session has ended, or waits: what is new of its conversation, and its workspace, is kept. Returns at once. */
  keep(session: MovedSession): void;
  /** A session is deleted: removes what is kept of it outside the store. Answers whether nothing is left. Never rejects. */
  forget?(sessionKey: string): Promise<boolean>;
  /** Resolves when all that was to be kept is, or `ms` are over. */
  drain(ms: number): Promise<void>;
}

/** Keeps nothing: a session that moves has an empty workspace, and its agent remembers nothing. */
export const NOTHING_KEPT: SessionMoves = {
  async bring({ workspace }) {
    // A mistake here (a file in its place, no permission) is for the agent to find and to explain.
    await mkdir(workspace, { recursive: true, mode: 0o700 }).catch(() => {});
    return { remembers: false };
  },
  keep() {},
  async drain() {},
};
