import { isOf, PIECE_BYTES, ROW_BYTES, transcriptOf, unkeptOf } from "../common/transcript-row.ts";
import type { Transcript, TranscriptSegment, Transcripts, UnkeptSession } from "../transcripts.ts";
import type { Statements } from "./statements.ts";

/** So many segments are read at once; fewer where they would be too many bytes. */
const READ_AT_ONCE = 64;

/** What agents keep of conversations: segments of files (`transcripts`), and which of them count (`transcript_heads`). */
export class TranscriptsTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  async find(sessionKey: string): Promise<Transcript | undefined> {
    const sql = "SELECT * FROM transcript_heads WHERE session_key = $1";
    const row = await this.#statements.get(sql, sessionKey);
    return row && transcriptOf(row);
  }

  /** As `Store.readSegments`. */
  async readSegments(
    ...[wanted, maxBytes]: Parameters<Transcripts["readSegments"]>
  ): Promise<TranscriptSegment[]> {
    const { sessionKey, file, generation, start } = wanted;
    // How many bytes there are up to each is known without reading them.
    const sql = `SELECT start, bytes FROM (
        SELECT start, bytes, sum(octet_length(bytes)) OVER (ORDER BY start) - octet_length(bytes) AS before
        FROM (SELECT start, bytes FROM transcripts
          WHERE session_key = $1 AND file = $2 AND generation = $3 AND start >= $4 ORDER BY start LIMIT ${READ_AT_ONCE}) AS next
      ) AS counted WHERE before < $5 OR before = 0 ORDER BY start`;
    const values = [sessionKey, file, generation, start, Math.max(maxBytes, 1)];
    const rows = await this.#statements.all(sql, ...values);
    return rows.map((row) => ({
      ...{ sessionKey, file, generation },
      start: Number(row.start),
      bytes: row.bytes as Uint8Array,
    }));
  }

  async recordSegment(segment: TranscriptSegment): Promise<void> {
    const { sessionKey, file, generation, start, bytes } = segment;
    const replaced = `DELETE FROM transcripts
      WHERE session_key = $1 AND file = $2 AND generation = $3 AND start >= $4`;
    await this.#statements.run(replaced, sessionKey, file, generation, start);
    const sql = `INSERT INTO transcripts (session_key, file, generation, start, bytes) VALUES ($1, $2, $3, $4, $5)`;
    const sent = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    await this.#statements.run(sql, sessionKey, file, generation, start, sent);
  }

  async record({ sessionKey, conversationId, files, refusal, time }: Transcript): Promise<void> {
    const sql = `INSERT INTO transcript_heads (session_key, conversation_id, files, refusal, time)
      VALUES ($1, $2, $3, $4, $5) ON CONFLICT (session_key) DO UPDATE SET conversation_id = excluded.conversation_id,
        files = excluded.files, refusal = excluded.refusal, time = excluded.time`;
    const values = [conversationId, JSON.stringify(files), refusal, time];
    await this.#statements.run(sql, sessionKey, ...values);
  }

  /** As `Store.removeReplaced`. */
  async removeReplaced(sessionKey: string): Promise<boolean> {
    const transcript = await this.find(sessionKey);
    const toGo = (row: TranscriptRow) => !isOf(transcript, row);
    return (await this.#removeSome(sessionKey, PIECE_BYTES, toGo)).isMore;
  }

  /** Removes some of what is left of a session that is off the record. Answers what it cost: `most` where some is left. */
  async removeOfRemoved(sessionKey: string, most: number): Promise<number> {
    const off = "SELECT 1 FROM sessions WHERE session_key = $1 AND remove_time IS NOT NULL";
    if ((await this.#statements.get(off, sessionKey)) === undefined) return 0;
    const { cost, isMore } = await this.#removeSome(sessionKey, most, () => true);
    if (isMore) return Math.max(cost, most);
    await this.#statements.run("DELETE FROM transcript_heads WHERE session_key = $1", sessionKey);
    return cost;
  }

  /** As `Store.listUnkept`. */
  async listUnkept(home: string, limit: number, afterKey: string): Promise<UnkeptSession[]> {
    const sql = `SELECT session_id, session_key, agent_kind, agent_session_id, workspace
      FROM sessions LEFT JOIN transcript_heads USING (session_key)
      WHERE session_key > $1 AND home = $2 AND remove_time IS NULL AND agent_session_id <> ''
        AND coalesce(time, -1) < last_active_time ORDER BY session_key LIMIT $3`;
    return (await this.#statements.all(sql, afterKey, home, limit)).map(unkeptOf);
  }

  async #removeSome(sessionKey: string, most: number, isToGo: (row: TranscriptRow) => boolean) {
    const sql = `SELECT file, generation, start, octet_length(bytes) AS length FROM transcripts
      WHERE session_key = $1 ORDER BY file, generation, start`;
    let [cost, isMore] = [0, false];
    for (const row of await this.#statements.all(sql, sessionKey)) {
      if (!isToGo(row)) continue;
      isMore = cost >= most;
      if (isMore) break;
      const remove =
        "DELETE FROM transcripts WHERE session_key = $1 AND file = $2 AND generation = $3 AND start = $4";
      const place = [String(row.file), Number(row.generation), Number(row.start)];
      await this.#statements.run(remove, sessionKey, ...place);
      cost += Number(row.length) + ROW_BYTES;
    }
    return { cost, isMore };
  }
}

type TranscriptRow = Parameters<typeof isOf>[1];
