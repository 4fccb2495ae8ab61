import type { HomeRecord } from "../store.ts";
import type { SessionName } from "../views.ts";
import type { Statements } from "./statements.ts";
import { isTurnId } from "./turn-id.ts";

/** Of a server the newest lease that holds says where it is reached. */
const WITH_LEASE = `LEFT JOIN LATERAL (SELECT address FROM replicas
  WHERE replica_id = home AND NOT fenced ORDER BY incarnation DESC LIMIT 1) AS lease ON true`;

/** Where sessions and turns are at home, and how their homes are reached. */
export class Homes {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** As `Store.homeOfSession`. */
  ofSession({ principal, sessionId }: SessionName): Promise<HomeRecord | undefined> {
    const sql = `SELECT home, lease.address FROM sessions ${WITH_LEASE}
      WHERE principal = $1 AND session_id = $2 AND remove_time IS NULL`;
    return this.#first(sql, principal, sessionId);
  }

  /** As `Store.homeOfTurn`. */
  async ofTurn(turnId: string): Promise<HomeRecord | undefined> {
    if (!isTurnId(turnId)) return undefined;
    const sql = `SELECT home, lease.address FROM turns JOIN sessions USING (session_key) ${WITH_LEASE}
      WHERE turn_id = $1 AND end_time IS NULL`;
    return this.#first(sql, turnId);
  }

  async #first(sql: string, ...values: string[]): Promise<HomeRecord | undefined> {
    const row = await this.#statements.get(sql, ...values);
    if (row === undefined) return undefined;
    const { home, address } = row;
    return { owner: String(home), address: String(address ?? ""), isPresent: address !== null };
  }
}
