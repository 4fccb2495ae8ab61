/** A file of what is kept of an agent's own record of a conversation, as far as it is kept whole. */
export interface TranscriptFile {
  /** By which the agent's adapter knows it, on every machine. */
  readonly name: string;
  /** Which of the segments are it: those of a file that was rewritten have another one. */
  readonly generation: number;
  /** How long it is. */
  readonly bytes: number;
  /** CRC-32 of all of it: tells what was rewritten by the agent or damaged, and is no proof against who means to deceive. */
  readonly crc32: number;
}

/** What is kept of an agent's own record of a session's conversation. */
export interface Transcript {
  readonly sessionKey: string;
  /** The agent's id of the conversation. */
  readonly conversationId: string;
  readonly files: readonly TranscriptFile[];
  /** Why the record is not kept, for the operator. Empty: it is. */
  readonly refusal: string;
  /** When it was like that on the agent's disk, in milliseconds since the epoch. */
  readonly time: number;
}

/** A piece of a file of a transcript. */
export interface TranscriptSegment {
  readonly sessionKey: string;
  /** The file's name and generation, as in `TranscriptFile`. */
  readonly file: string;
  readonly generation: number;
  /** Where it begins in the file, in bytes. */
  readonly start: number;
  /** What is there, compressed by zstd. */
  readonly bytes: Uint8Array;
}

/** A session of which the newest is not kept. */
export interface UnkeptSession {
  readonly sessionId: string;
  readonly sessionKey: string;
  readonly agentKind: string;
  /** The agent's id of its conversation; never empty. */
  readonly agentSessionId: string;
  readonly workspace: string;
}

/**
 * The agents' own records of conversations, by which another server can go on with them. It never looks into what they are.
 *
 * 1. Segments are part of a transcript once `recordTranscript` says so: what was written before a crash and is not, is none.
 * 2. Only a session's home writes them. NOT_FOUND where the session is off the record, SESSION_ELSEWHERE where it is at home
 *    elsewhere, FENCED as all writes.
 * 3. They are removed with their session.
 */
export interface Transcripts {
  /** Undefined: nothing is kept. */
  findTranscript(sessionKey: string): Promise<Transcript | undefined>;
  /**
   * The segments of a file from a start on, in order: as many as fit into about `maxBytes`, at least one if any. What belongs
   * to the transcript and what does not is told by `TranscriptFile.bytes`.
   */
  readSegments(
    file: Pick<TranscriptSegment, "sessionKey" | "file" | "generation" | "start">,
    maxBytes: number,
  ): Promise<TranscriptSegment[]>;
  /** Writes a segment, in the place of whatever there is of its file from its start on. Of some 256 KiB at most. */
  recordSegment(segment: TranscriptSegment, epoch: number): Promise<void>;
  /** Says which segments are the session's transcript from now on, in place of what was before. */
  recordTranscript(transcript: Transcript, epoch: number): Promise<void>;
  /**
   * Removes some segments of files that are not the session's transcript any more, so few that others' writes do not wait
   * long for it. Answers whether there are more.
   */
  removeReplaced(sessionKey: string, epoch: number): Promise<boolean>;
  /**
   * The sessions at home on a server whose transcript is older than what was done in them last, in the order of their keys,
   * from after a key.
   */
  listUnkept(home: string, limit: number, afterKey: string): Promise<UnkeptSession[]>;
}
