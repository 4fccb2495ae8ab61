import { uuidArray } from "./binary-arrays.ts";
import type { Statements } from "./statements.ts";

/** How far the news was when it was looked at. Both only grow. */
export interface NewsMark {
  /** The newest change of a turn: see TurnChangesTable. */
  readonly cursor: number;
  /** How often there was news of sessions that is no change of a turn. */
  readonly sessionNews: number;
}

/** A turn that has changed. */
export interface ChangedTurn {
  readonly turnId: string;
  readonly sessionKey: string;
}

/** What tells that there is something new, cheaply: the row that counts all changes, and the ends of turns' logs. */
export class NewsTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  async mark(): Promise<NewsMark> {
    const row = await this.#statements.get("SELECT cursor, session_news FROM newest_change");
    return { cursor: Number(row?.cursor), sessionNews: Number(row?.session_news) };
  }

  /** Counts news of a session: it is shared, or no longer, or off the record. */
  async addSessionNews(): Promise<void> {
    await this.#statements.run("UPDATE newest_change SET session_news = session_news + 1");
  }

  /** The turns that have changed after a cursor, those that are off the record left out. */
  async changedAfter(cursor: number): Promise<ChangedTurn[]> {
    const sql = `SELECT DISTINCT turns.turn_id, turns.session_key FROM turn_changes JOIN turns USING (turn_key)
      WHERE turn_changes.cursor > $1`;
    return (await this.#statements.all(sql, cursor)).map((row) => ({
      turnId: String(row.turn_id),
      sessionKey: String(row.session_key),
    }));
  }

  /** The last sequences of turns. */
  async lastSequences(turnIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const sql = `SELECT turn_id, coalesce((SELECT max(sequence) FROM events WHERE events.turn_id = asked.turn_id), 0) AS last
      FROM unnest($1::uuid[]) AS asked (turn_id)`;
    const rows = await this.#statements.all(sql, uuidArray(turnIds));
    return new Map(rows.map((row) => [String(row.turn_id), Number(row.last)]));
  }
}
