/** A file of an agent's record, open for reading. Whoever opened it disposes of it. */
export interface RecordFile extends AsyncDisposable {
  /** How long it was when it was opened, without what was being written just then. */
  readonly bytes: number;
  /**
   * Reads what is there. Gives fewer bytes than asked for only at its end.
   *
   * @throws Error where the file has become shorter than `bytes`.
   */
  read(position: number, length: number): Promise<Uint8Array>;
}

/** An agent's record of a conversation as it is on its disk. Whoever opened it disposes of it. */
export interface OpenedRecord extends AsyncDisposable {
  /** Its files, by names that are the same on every machine. None: there is no record. */
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** @throws Error where it has gone, or is no file of the agent's. */
  openFile(name: string): Promise<RecordFile>;
}

/** A record that is being put back. Whoever began it disposes of it; what is not finished then leaves nothing behind. */
export interface RecordRestoration extends AsyncDisposable {
  /** Adds to the end of a file. */
  append(name: string, bytes: Uint8Array): Promise<void>;
  /** Puts it where the agent looks for it, in place of whatever was there: all of it, and on disk, or nothing. */
  finish(): Promise<void>;
}

/**
 * Where an agent keeps its record of conversations: files that grow, and by which it goes on with them in any directory and on
 * any machine.
 *
 * The agent's user can write there, at any moment: no link is followed, and nothing is read that is not that user's.
 */
export interface ConversationRecords {
  /** Opens what there is of a session's own conversation. */
  open(conversationId: string, workspace: string): Promise<OpenedRecord>;
  /** Begins to put a record back for a session that works in that workspace from now on, and nowhere else any more. */
  restore(conversationId: string, workspace: string): Promise<RecordRestoration>;
}
