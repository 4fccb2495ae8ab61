import { randomUUID } from "node:crypto";
import type { AuditEntry } from "../../audit/entry.ts";
import { type AuditLink, NO_HASH, readLine, seal } from "../../audit/record.ts";
import type { Statements } from "./statements.ts";

/** So many records at most are looked at, and removed, in one commit. */
const MOST_LOOKED_AT = 1000;
/** So many lines are read at once. */
const READ_AT_ONCE = 256;

/**
 * The audit chains, one for each server that wrote to this store.
 *
 * 1. A record follows the one that is in the table before it, as the transaction sees it. What is remembered of that is
 *    forgotten where anything in a transaction fails (`forget`).
 * 2. Records are removed only from the beginning of a chain, and never the last one.
 * 3. A chain is written under a lease of its server, which has one at a time: of two who would write the same record the
 *    key of the table takes one.
 */
export class AuditTable {
  readonly #statements: Statements;
  /** The ends of the chains, as they were last written or read. */
  readonly #ends = new Map<string, AuditLink>();

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Puts entries on a server's chain, in their order. The first ever begins the chain. */
  async append(owner: string, entries: readonly AuditEntry[] = []): Promise<void> {
    if (entries.length === 0) return;
    let last = this.#ends.get(owner) ?? (await this.head(owner)) ?? beginning();
    const now = Date.now();
    const sealed = entries.map((entry) => (last = seal(entry, last, now)));
    const sql = `INSERT INTO audit (owner, sequence, line) SELECT $1, * FROM unnest($2::bigint[], $3::text[])`;
    const sequences = sealed.map(({ sequence }) => sequence);
    await this.#statements.run(
      sql,
      owner,
      sequences,
      sealed.map(({ line }) => line),
    );
    const { chain, sequence, hash } = last;
    this.#ends.set(owner, { chain, sequence, hash });
  }

  /** What was written last may be undone. */
  forget(): void {
    this.#ends.clear(); // 1.
  }

  /** As `Store.readAuditHead`. */
  async head(owner: string): Promise<AuditLink | undefined> {
    const sql = "SELECT line FROM audit WHERE owner = $1 ORDER BY sequence DESC LIMIT 1";
    const row = await this.#statements.get(sql, owner);
    return row && linkOf(String(row.line));
  }

  /** As `Store.readAudit`. */
  async read(owner: string, afterSequence: number, maxBytes: number): Promise<string[]> {
    const lines: string[] = [];
    let bytes = 0;
    for await (const line of this.#lines(owner, afterSequence, Number.MAX_SAFE_INTEGER)) {
      lines.push(line);
      bytes += line.length;
      if (bytes >= maxBytes) break;
    }
    return lines;
  }

  /** As `Store.findAuditBefore`. */
  async findBefore(owner: string, time: number): Promise<AuditLink | undefined> {
    const newest = (await this.head(owner))?.sequence ?? 0;
    let found: AuditLink | undefined;
    let left = MOST_LOOKED_AT;
    // 2.
    for await (const line of this.#lines(owner, 0, newest)) {
      const record = readLine(line);
      if (Date.parse(record.time) >= time) break;
      // What says that others were removed stays, or its own removal would bring the next.
      if (record.kind !== "records_removed") found = record;
      if (--left === 0) break;
    }
    return found && { chain: found.chain, sequence: found.sequence, hash: found.hash };
  }

  /** Removes a server's records up to one, which is not the last. */
  async removeUpTo(owner: string, sequence: number): Promise<void> {
    const sql = `DELETE FROM audit WHERE owner = $1 AND sequence <= $2
      AND sequence < (SELECT max(sequence) FROM audit WHERE owner = $1)`;
    await this.#statements.run(sql, owner, sequence); // 2.
  }

  /** The lines of a chain after a sequence and before another, in their order. */
  async *#lines(owner: string, after: number, before: number): AsyncGenerator<string> {
    const sql = `SELECT sequence, line FROM audit WHERE owner = $1 AND sequence > $2 AND sequence < $3
      ORDER BY sequence LIMIT ${READ_AT_ONCE}`;
    let rows = await this.#statements.all(sql, owner, after, before);
    while (rows.length > 0) {
      for (const { line } of rows) yield String(line);
      if (rows.length < READ_AT_ONCE) return;
      rows = await this.#statements.all(sql, owner, Number(rows.at(-1)!.sequence), before);
    }
  }
}

function beginning(): AuditLink {
  return { chain: randomUUID(), sequence: 0, hash: NO_HASH };
}

function linkOf(line: string): AuditLink {
  const { chain, sequence, hash } = readLine(line);
  return { chain, sequence, hash };
}
