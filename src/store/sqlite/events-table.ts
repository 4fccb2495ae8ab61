import { dataLost, type Refusal } from "../../errors.ts";
import type { Statements } from "./statements.ts";

/** What a row costs to remove beside its bytes, behind one that was removed too. */
const ROW_BYTES = 256;
/** The most that it costs where other turns' rows are between them: a page of its own (measured: 24 µs against 5). */
const PAGE_BYTES = 4096;

/**
 * The events of all turns, in the order in which they came.
 *
 * A thousand turns append one event each to the same last page, and to an index of some bytes a row; clustered by turn each
 * of them had a page of its own to write (measured: 43 µs an event against 13, and seven times the bytes in the log).
 */
export class EventsTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  append(turnKey: number, firstSequence: number, events: readonly Uint8Array[]): void {
    const sql = "INSERT INTO events (turn_key, sequence, event) VALUES (?, ?, ?)";
    const insert = this.#statements.prepare(sql);
    let sequence = firstSequence;
    for (const event of events) insert.run(turnKey, sequence++, event);
  }

  /**
   * The events after a sequence: as many as fit into about `maxBytes`, at least one if any.
   *
   * @throws Refusal DATA_LOSS where the next one is missing.
   */
  read(turnKey: number, afterSequence: number, maxBytes: number): Uint8Array[] {
    const sql =
      "SELECT sequence, event FROM events WHERE turn_key = ? AND sequence > ? ORDER BY sequence";
    const events: Uint8Array[] = [];
    let bytes = 0;
    for (const row of this.#statements.iterate(sql, turnKey, afterSequence)) {
      const expected = afterSequence + events.length + 1;
      if (row.sequence !== expected) {
        if (events.length > 0) break;
        throw eventMissing(expected, Number(row.sequence));
      }
      const event = row.event as Uint8Array;
      events.push(event);
      bytes += event.length;
      if (bytes >= maxBytes) break;
    }
    return events;
  }

  /** Removes a turn's first events, for about `most` bytes, at least one if any. Answers what it cost: `most` where some are left. */
  removeFirst(turnKey: number, most: number): number {
    // The length of a large event is known without reading it.
    const sql = `SELECT rowid, sequence, octet_length(event) AS bytes FROM events WHERE turn_key = ? ORDER BY sequence`;
    let cost = 0;
    let last = { rowid: 0, sequence: 0 };
    for (const row of this.#statements.iterate(sql, turnKey)) {
      if (cost >= most) break;
      const [rowid, sequence] = [Number(row.rowid), Number(row.sequence)];
      cost += Number(row.bytes) + Math.min((rowid - last.rowid) * ROW_BYTES, PAGE_BYTES);
      last = { rowid, sequence };
    }
    if (cost === 0) return 0;
    const remove = "DELETE FROM events WHERE turn_key = ? AND sequence <= ?";
    this.#statements.run(remove, turnKey, last.sequence);
    const isLeft = "SELECT 1 FROM events WHERE turn_key = ? LIMIT 1";
    return this.#statements.get(isLeft, turnKey) === undefined ? cost : Math.max(cost, most);
  }
}

/** A store that was rescued from damage may lack rows: nobody is to take what follows for what is missing. */
function eventMissing(sequence: number, next: number): Refusal {
  const missing = next - 1 === sequence ? `event ${sequence}` : `events ${sequence} to ${next - 1}`;
  const message = `the store was damaged and lacks ${missing} of the turn: attach after ${next - 1} for what follows`;
  return dataLost(message, { sequence: String(next - 1) });
}
