import { dataLost, type Refusal } from "../../errors.ts";
import { byteaArray, intArray, uuidArray } from "./binary-arrays.ts";
import type { Statements } from "./statements.ts";

/** What a row costs to remove beside its bytes. */
const ROW_BYTES = 256;
/** So many events are read at once; the next when they were not too many bytes. */
const READ_AT_ONCE = 256;

/** Events on their way to the table, of one turn or of many. */
export interface EventRows {
  readonly turnIds: readonly string[];
  readonly sequences: readonly number[];
  readonly events: readonly Uint8Array[];
}

/** The events of all turns. */
export class EventsTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  async append({ turnIds, sequences, events }: EventRows): Promise<void> {
    const sql = `INSERT INTO events (turn_id, sequence, event)
      SELECT * FROM unnest($1::uuid[], $2::int[], $3::bytea[])`;
    const arrays = [uuidArray(turnIds), intArray(sequences), byteaArray(events)];
    await this.#statements.run(sql, ...arrays);
  }

  /**
   * Appends outside of a transaction, in one statement that holds the lease. Answers whether it holds: where it does not,
   * nothing was written.
   */
  async appendUnder(epoch: number, { turnIds, sequences, events }: EventRows): Promise<boolean> {
    const sql = `WITH me AS MATERIALIZED (SELECT 1 FROM replicas WHERE incarnation = $1 AND NOT fenced FOR SHARE),
      ins AS (INSERT INTO events (turn_id, sequence, event)
        SELECT e.* FROM me, unnest($2::uuid[], $3::int[], $4::bytea[]) e RETURNING 1)
      SELECT count(*) AS held FROM me`;
    const arrays = [uuidArray(turnIds), intArray(sequences), byteaArray(events)];
    const row = await this.#statements.get(sql, epoch, ...arrays);
    return Number(row?.held) > 0;
  }

  async has(turnId: string, sequence: number): Promise<boolean> {
    const sql = "SELECT 1 FROM events WHERE turn_id = $1 AND sequence = $2";
    return (await this.#statements.get(sql, turnId, sequence)) !== undefined;
  }

  /**
   * The events after a sequence: as many as fit into about `maxBytes`, at least one if any.
   *
   * @throws Refusal DATA_LOSS where the next one is missing.
   */
  async read(turnId: string, afterSequence: number, maxBytes: number): Promise<Uint8Array[]> {
    // How many bytes there are up to each is known without reading them.
    const sql = `SELECT sequence, event FROM (
        SELECT sequence, event, sum(octet_length(event)) OVER (ORDER BY sequence) - octet_length(event) AS before
        FROM (SELECT * FROM events WHERE turn_id = $1 AND sequence > $2 ORDER BY sequence LIMIT ${READ_AT_ONCE}) AS next
      ) AS counted WHERE before < $3 OR before = 0 ORDER BY sequence`;
    const events: Uint8Array[] = [];
    let bytes = 0;
    for (;;) {
      const after = afterSequence + events.length;
      const rows = await this.#statements.all(sql, turnId, after, Math.max(maxBytes - bytes, 1));
      for (const row of rows) {
        const expected = afterSequence + events.length + 1;
        if (row.sequence !== expected) {
          if (events.length > 0) return events;
          throw eventMissing(expected, Number(row.sequence));
        }
        const event = row.event as Uint8Array;
        events.push(event);
        bytes += event.length;
      }
      if (rows.length < READ_AT_ONCE || bytes >= maxBytes) return events;
    }
  }

  /** Removes a turn's first events, for about `most` bytes, at least one if any. Answers what it cost: `most` where some are left. */
  async removeFirst(turnId: string, most: number): Promise<number> {
    const sql = `WITH first AS (
        SELECT sequence, sum(octet_length(event) + ${ROW_BYTES}) OVER (ORDER BY sequence) AS cost
        FROM (SELECT sequence, event FROM events WHERE turn_id = $1 ORDER BY sequence LIMIT $2) AS rows_of_turn),
      last AS (SELECT min(sequence) AS sequence FROM first WHERE cost >= $3),
      gone AS (DELETE FROM events WHERE turn_id = $1
        AND sequence <= coalesce((SELECT sequence FROM last), (SELECT max(sequence) FROM first)) RETURNING octet_length(event) AS bytes)
      SELECT coalesce(sum(bytes + ${ROW_BYTES}), 0) AS cost FROM gone`;
    const rows = Math.ceil(most / ROW_BYTES);
    const cost = Number((await this.#statements.get(sql, turnId, rows, most))?.cost);
    const isLeft = "SELECT 1 FROM events WHERE turn_id = $1 LIMIT 1";
    if ((await this.#statements.get(isLeft, turnId)) === undefined) return cost;
    return Math.max(cost, most);
  }
}

/** A database that was restored from damage may lack rows: nobody is to take what follows for what is missing. */
function eventMissing(sequence: number, next: number): Refusal {
  const missing = next - 1 === sequence ? `event ${sequence}` : `events ${sequence} to ${next - 1}`;
  const message = `the store was damaged and lacks ${missing} of the turn: attach after ${next - 1} for what follows`;
  return dataLost(message, { sequence: String(next - 1) });
}
