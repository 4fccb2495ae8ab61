import type { Caller } from "../identity/caller.ts";

/** The server's audit to those who may read it. */
export interface AuditSource {
  /** Records that somebody reads it. */
  noteRead(caller: Caller, afterSequence: number): void;
  /** The sequence of the newest record. 0: there is none. */
  newest(): Promise<number>;
  /** The lines of the records after a sequence: some of them, at least one if any. */
  read(afterSequence: number): Promise<string[]>;
}
