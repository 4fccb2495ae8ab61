/** A snapshot of a session's workspace, as it is on record. What is in it is elsewhere. */
export interface SnapshotRecord {
  /** By which it is found. Each one has another. */
  readonly key: string;
  /** When it was taken, in milliseconds since the epoch. */
  readonly time: number;
}

/** What is to be known of a session before another snapshot is taken, or one is restored. */
export interface SnapshotState {
  /** Undefined: there is none. */
  readonly snapshot: SnapshotRecord | undefined;
  /** The session's newest turn. Empty: none is on record. */
  readonly newestTurnId: string;
}

/** Which snapshots of workspaces count. The row of the session is the fence: what it does not name is none. */
export interface Snapshots {
  /** NOT_FOUND where the session is off the record. */
  findSnapshot(sessionKey: string): Promise<SnapshotState>;
  /**
   * Says which one is a session's newest, in place of the one before. Only its home does: NOT_FOUND where the session is off
   * the record, SESSION_ELSEWHERE where it is at home elsewhere, FENCED as all writes.
   */
  recordSnapshot(sessionKey: string, snapshot: SnapshotRecord, epoch: number): Promise<void>;
}
