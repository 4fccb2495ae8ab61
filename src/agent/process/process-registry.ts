/** What a process that is to be started is for, and how to find it again. */
export interface ProcessRecord {
  /** The unguessable id that every process of its family carries in its environment. */
  readonly processId: string;
  /** The key of the session that it works for. Empty: none yet, it waits to be taken by a new one. */
  readonly sessionKey: string;
  readonly workspace: string;
}

/** Where it is recorded which processes may live, so that a server that comes after a crash finds them. */
export interface ProcessRegistry {
  /** Resolves once it is on disk; nothing is started before. Rejects where the disk does not take it. */
  recordProcess(process: ProcessRecord): Promise<void>;
  /** Records that nothing of it is left. */
  recordProcessGone(processId: string): Promise<void>;
}
