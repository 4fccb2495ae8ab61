import { fenced } from "../../errors.ts";
import type { Statements } from "./statements.ts";

/** The time that leases are held against, in milliseconds: the database's own, or what a test says. */
const now = (parameter: string) =>
  `coalesce(${parameter}::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)`;

/**
 * The leases of all servers, each a row of `replicas`.
 *
 * 1. Every write holds the row of its lease FOR SHARE and requires that it is not fenced, in its own transaction: it is before
 *    a fence or refused, never beside it. What is looked up without the lock lets a fence come between (246 of 1,000 did).
 * 2. A row that is fenced stays so.
 */
export class LeasesTable {
  readonly #statements: Statements;
  readonly #clock: (() => number) | undefined;
  /** The owners of the leases whose rows this transaction has locked. */
  readonly #held = new Map<number, string>();

  /** @param clock - What leases are held against. Undefined: the database's clock. */
  constructor(statements: Statements, clock: (() => number) | undefined) {
    this.#statements = statements;
    this.#clock = clock;
  }

  /** The transaction has ended, or what was locked in it may be given up. */
  forget(): void {
    this.#held.clear();
  }

  /** Opens one, which ends those of the same owner. Answers its epoch. */
  async open(owner: string, address: string, ms: number | undefined): Promise<number> {
    const end = "UPDATE replicas SET fenced = true WHERE replica_id = $1 AND NOT fenced";
    await this.#statements.run(end, owner);
    const until = `CASE WHEN $2::bigint IS NULL THEN NULL ELSE ${now("$3")} + $2 END`;
    const insert = `INSERT INTO replicas (replica_id, lease_until, address) VALUES ($1, ${until}, $4) RETURNING incarnation`;
    const row = await this.#statements.get(insert, owner, ms ?? null, this.#now(), address);
    return Number(row?.incarnation);
  }

  /** Ends one. Idempotent. */
  async end(epoch: number): Promise<void> {
    const sql = "UPDATE replicas SET fenced = true WHERE incarnation = $1 AND NOT fenced";
    await this.#statements.run(sql, epoch);
  }

  /** @throws Refusal FENCED where it has ended. */
  async renew(epoch: number, ms: number | undefined): Promise<void> {
    const sql = `UPDATE replicas SET lease_until = CASE WHEN $2::bigint IS NULL THEN NULL ELSE ${now("$3")} + $2 END
      WHERE incarnation = $1 AND NOT fenced`;
    const renewed = await this.#statements.run(sql, epoch, ms ?? null, this.#now());
    if (renewed === 0) throw fenced();
  }

  /** As `Leases.fence`. Its own row is not locked: two who fence each other would wait for each other. */
  async fence(owner: string, epoch: number): Promise<boolean> {
    if (!(await this.holds(epoch))) throw fenced();
    const sql = `UPDATE replicas SET fenced = true WHERE replica_id = $1 AND NOT fenced AND lease_until < ${now("$2")}`;
    await this.#statements.run(sql, owner, this.#now());
    return !(await this.isHeldBy(owner));
  }

  /** Locks a lease for this transaction, and answers whose it is. @throws Refusal FENCED where it has ended. */
  async hold(epoch: number): Promise<string> {
    const held = this.#held.get(epoch);
    if (held !== undefined) return held;
    const sql = "SELECT replica_id FROM replicas WHERE incarnation = $1 AND NOT fenced FOR SHARE"; // 1.
    const row = await this.#statements.get(sql, epoch);
    if (row === undefined) throw fenced();
    const owner = String(row.replica_id);
    this.#held.set(epoch, owner);
    return owner;
  }

  /**
   * Locks a lease for what is written for a turn.
   *
   * @param turnEpoch - Of the lease under which the turn was recorded.
   * @throws Refusal FENCED where that is another server's to write.
   */
  async holdFor(turnEpoch: number, epoch: number): Promise<void> {
    await this.hold(epoch);
    if (turnEpoch !== epoch && (await this.holds(turnEpoch))) throw fenced(); // 2.
  }

  async holds(epoch: number): Promise<boolean> {
    const sql = "SELECT 1 FROM replicas WHERE incarnation = $1 AND NOT fenced";
    return (await this.#statements.get(sql, epoch)) !== undefined;
  }

  async isHeldBy(owner: string): Promise<boolean> {
    const sql = "SELECT 1 FROM replicas WHERE replica_id = $1 AND NOT fenced LIMIT 1";
    return (await this.#statements.get(sql, owner)) !== undefined;
  }

  /** Who holds one. */
  async owners(): Promise<string[]> {
    const sql = "SELECT DISTINCT replica_id FROM replicas WHERE NOT fenced";
    return (await this.#statements.all(sql)).map((row) => String(row.replica_id));
  }

  /** As `Leases.listAway`. */
  async listAway(): Promise<string[]> {
    const sql = `SELECT replica_id AS owner FROM replicas WHERE NOT fenced AND lease_until < ${now("$1")}
      UNION SELECT home FROM turns JOIN sessions USING (session_key)
        WHERE end_time IS NULL AND home NOT IN (SELECT replica_id FROM replicas WHERE NOT fenced)`;
    return (await this.#statements.all(sql, this.#now())).map((row) => String(row.owner));
  }

  #now(): number | null {
    return this.#clock === undefined ? null : Math.floor(this.#clock());
  }
}
