import { Refusal } from "../../errors.ts";
import { granteesOf, sharesOf, textOf } from "../common/grantee-text.ts";
import type { Grantee, SessionView, Share } from "../views.ts";
import type { Statements } from "./statements.ts";

/** The shares of a session, as `sharesOf` reads them. */
export const SHARES_COLUMN = `(SELECT json_group_array(json_array(grantee, access, create_time)) FROM shares
  WHERE shares.session_key = sessions.session_key) AS shares`;

/**
 * Whom sessions are shared with.
 *
 * 1. A row has what lists of sessions are ordered by, and `shared_turns` has a row for each turn and each share of its session:
 *    triggers of the schema keep both. Who has a thousand sessions shared with him reads one page from an index.
 */
export class SharesTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Whether a session is shared with somebody. */
  isWith(sessionKey: string, view: SessionView): boolean {
    const sql = `SELECT 1 FROM shares WHERE session_key = ? AND grantee IN (SELECT value FROM json_each(?))`;
    const grantees = JSON.stringify(granteesOf(view));
    return this.#statements.get(sql, sessionKey, grantees) !== undefined;
  }

  /** As `Store.listShares`. */
  list(sessionKey: string): Share[] {
    const row = this.#statements.get(
      `SELECT ${SHARES_COLUMN} FROM (SELECT ? AS session_key) AS sessions`,
      sessionKey,
    );
    return sharesOf(row!);
  }

  /**
   * Adds a share, or changes the one with the same. Answers whether it is a new one.
   *
   * @throws Refusal SESSION_FULL where there would be more than `most`.
   */
  add(sessionKey: string, { grantee, access, createTime }: Share, most: number): boolean {
    const name = textOf(grantee);
    const changed = this.#statements.run(
      "UPDATE shares SET access = ? WHERE session_key = ? AND grantee = ?",
      ...[access, sessionKey, name],
    );
    if (changed > 0) return false;
    const count = "SELECT count(*) AS count FROM shares WHERE session_key = ?";
    if (Number(this.#statements.get(count, sessionKey)?.count) >= most) {
      const message = `the session is shared with ${most}, its limit: share it with a role`;
      throw new Refusal("SESSION_FULL", message);
    }
    const sql = `INSERT INTO shares (session_key, grantee, access, create_time, last_active_time, session_id, principal)
      SELECT session_key, ?, ?, ?, last_active_time, session_id, principal FROM sessions WHERE session_key = ?`;
    this.#statements.run(sql, name, access, createTime, sessionKey);
    return true;
  }

  /** Removes the share with somebody. Idempotent. */
  remove(sessionKey: string, grantee: Grantee): void {
    const sql = "DELETE FROM shares WHERE session_key = ? AND grantee = ?";
    this.#statements.run(sql, sessionKey, textOf(grantee));
  }

  /** Removes all shares of a session of which nothing else is left. */
  removeOf(sessionKey: string): void {
    this.#statements.run("DELETE FROM shares WHERE session_key = ?", sessionKey);
  }
}
