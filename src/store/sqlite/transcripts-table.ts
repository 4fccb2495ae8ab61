import { isOf, PIECE_BYTES, ROW_BYTES, transcriptOf, unkeptOf } from "../common/transcript-row.ts";
import type { Transcript, TranscriptSegment, Transcripts, UnkeptSession } from "../transcripts.ts";
import type { Statements } from "./statements.ts";

/** What agents keep of conversations: segments of files (`transcripts`), and which of them count (`transcript_heads`). */
export class TranscriptsTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  find(sessionKey: string): Transcript | undefined {
    const sql = "SELECT * FROM transcript_heads WHERE session_key = ?";
    const row = this.#statements.get(sql, sessionKey);
    return row && transcriptOf(row);
  }

  /** As `Store.readSegments`. */
  readSegments(...[wanted, maxBytes]: Parameters<Transcripts["readSegments"]>) {
    const { sessionKey, file, generation, start } = wanted;
    const sql = `SELECT start, bytes FROM transcripts
      WHERE session_key = ? AND file = ? AND generation = ? AND start >= ? ORDER BY start`;
    const segments: TranscriptSegment[] = [];
    let read = 0;
    for (const row of this.#statements.iterate(sql, sessionKey, file, generation, start)) {
      const bytes = row.bytes as Uint8Array;
      segments.push({ sessionKey, file, generation, start: Number(row.start), bytes });
      read += bytes.length;
      if (read >= maxBytes) break;
    }
    return segments;
  }

  recordSegment({ sessionKey, file, generation, start, bytes }: TranscriptSegment): void {
    const replaced =
      "DELETE FROM transcripts WHERE session_key = ? AND file = ? AND generation = ? AND start >= ?";
    this.#statements.run(replaced, sessionKey, file, generation, start);
    const sql =
      "INSERT INTO transcripts (session_key, file, generation, start, bytes) VALUES (?, ?, ?, ?, ?)";
    this.#statements.run(sql, sessionKey, file, generation, start, bytes);
  }

  record({ sessionKey, conversationId, files, refusal, time }: Transcript): void {
    const sql = `INSERT OR REPLACE INTO transcript_heads (session_key, conversation_id, files, refusal, time)
      VALUES (?, ?, ?, ?, ?)`;
    this.#statements.run(sql, sessionKey, conversationId, JSON.stringify(files), refusal, time);
  }

  /** As `Store.removeReplaced`. */
  removeReplaced(sessionKey: string): boolean {
    const transcript = this.find(sessionKey);
    return this.#removeSome(sessionKey, PIECE_BYTES, (row) => !isOf(transcript, row)).isMore;
  }

  /** Removes some of what is left of a session that is off the record. Answers what it cost: `most` where some is left. */
  removeOfRemoved(sessionKey: string, most: number): number {
    const off = "SELECT 1 FROM sessions WHERE session_key = ? AND remove_time IS NOT NULL";
    if (this.#statements.get(off, sessionKey) === undefined) return 0;
    const { cost, isMore } = this.#removeSome(sessionKey, most, () => true);
    if (isMore) return Math.max(cost, most);
    this.#statements.run("DELETE FROM transcript_heads WHERE session_key = ?", sessionKey);
    return cost;
  }

  /** As `Store.listUnkept`. */
  listUnkept(home: string, limit: number, afterKey: string): UnkeptSession[] {
    const sql = `SELECT session_id, session_key, agent_kind, agent_session_id, workspace
      FROM sessions LEFT JOIN transcript_heads USING (session_key)
      WHERE session_key > ? AND home = ? AND remove_time IS NULL AND agent_session_id <> ''
        AND coalesce(time, -1) < last_active_time ORDER BY session_key LIMIT ?`;
    return this.#statements.all(sql, afterKey, home, limit).map(unkeptOf);
  }

  #removeSome(sessionKey: string, most: number, isToGo: (row: TranscriptRow) => boolean) {
    const sql = `SELECT rowid, file, generation, octet_length(bytes) AS length FROM transcripts WHERE session_key = ?`;
    const gone: number[] = [];
    let [cost, isMore] = [0, false];
    for (const row of this.#statements.iterate(sql, sessionKey)) {
      if (!isToGo(row)) continue;
      isMore = cost >= most;
      if (isMore) break;
      gone.push(Number(row.rowid));
      cost += Number(row.length) + ROW_BYTES;
    }
    for (const rowid of gone) {
      this.#statements.run("DELETE FROM transcripts WHERE rowid = ?", rowid);
    }
    return { cost, isMore };
  }
}

type TranscriptRow = Parameters<typeof isOf>[1];
