import { Refusal } from "../../errors.ts";
import { granteesOf, sharesOf, textOf } from "../common/grantee-text.ts";
import type { Grantee, SessionView, Share } from "../views.ts";
import type { Statements } from "./statements.ts";

/** The shares of a session, as `sharesOf` reads them. */
export const SHARES_COLUMN = `(SELECT coalesce(json_agg(json_build_array(grantee, access, create_time) ORDER BY grantee), '[]')::text
  FROM shares WHERE shares.session_key = sessions.session_key) AS shares`;

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
  async isWith(sessionKey: string, view: SessionView): Promise<boolean> {
    const sql =
      "SELECT 1 FROM shares WHERE session_key = $1 AND grantee = ANY ($2::text[]) LIMIT 1";
    return (await this.#statements.get(sql, sessionKey, granteesOf(view))) !== undefined;
  }

  /** As `Store.listShares`. */
  async list(sessionKey: string): Promise<Share[]> {
    const sql = `SELECT ${SHARES_COLUMN} FROM (SELECT $1::text AS session_key) AS sessions`;
    const row = await this.#statements.get(sql, sessionKey);
    return sharesOf(row!);
  }

  /**
   * Adds a share, or changes the one with the same. Answers whether it is a new one. The session's row is locked.
   *
   * @throws Refusal SESSION_FULL where there would be more than `most`.
   */
  async add(sessionKey: string, share: Share, most: number): Promise<boolean> {
    const { grantee, access, createTime } = share;
    const name = textOf(grantee);
    const change = "UPDATE shares SET access = $1 WHERE session_key = $2 AND grantee = $3";
    if ((await this.#statements.run(change, access, sessionKey, name)) > 0) return false;
    const count = "SELECT count(*) AS count FROM shares WHERE session_key = $1";
    if (Number((await this.#statements.get(count, sessionKey))?.count) >= most) {
      const message = `the session is shared with ${most}, its limit: share it with a role`;
      throw new Refusal("SESSION_FULL", message);
    }
    const sql = `INSERT INTO shares (session_key, grantee, access, create_time, last_active_time, session_id, principal)
      SELECT session_key, $1, $2, $3, last_active_time, session_id, principal FROM sessions WHERE session_key = $4`;
    await this.#statements.run(sql, name, access, createTime, sessionKey);
    return true;
  }

  /** Removes the share with somebody. Idempotent. */
  async remove(sessionKey: string, grantee: Grantee): Promise<void> {
    const sql = "DELETE FROM shares WHERE session_key = $1 AND grantee = $2";
    await this.#statements.run(sql, sessionKey, textOf(grantee));
  }

  /** Removes all shares of a session of which nothing else is left. */
  async removeOf(sessionKey: string): Promise<void> {
    await this.#statements.run("DELETE FROM shares WHERE session_key = $1", sessionKey);
  }
}
