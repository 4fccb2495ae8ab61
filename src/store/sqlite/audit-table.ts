import { randomUUID } from "node:crypto";
import type { WrittenEntry } from "../../audit/entry.ts";
import { type AuditLink, NO_HASH, readLine, seal } from "../../audit/record.ts";
import type { Statements } from "./statements.ts";

/** So many records at most are looked at, and removed, in one commit. */
const MOST_LOOKED_AT = 1000;
/** So many records a chain has room for. What a row's place is to be is exact as a number up to two million chains. */
const CHAIN_ROOM = 2 ** 32;

/**
 * The audit chains, one for each server that wrote to this store: a record's place in the table is its chain's number times
 * `CHAIN_ROOM`, and its sequence.
 *
 * 1. A record follows the one that is in the table before it, as the transaction sees it. What is remembered of that is
 *    forgotten where anything in a transaction fails (`forget`): a savepoint or a transaction that is undone takes its records
 *    back, and the next one follows what is left.
 * 2. Records are removed only from the beginning of a chain, and never the last one.
 */
export class AuditTable {
  readonly #statements: Statements;
  /** The ends of the chains, as they were last written or read. */
  readonly #ends = new Map<string, ChainEnd>();

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Puts entries on a server's chain, in their order. The first ever begins the chain. */
  append(owner: string, entries: readonly WrittenEntry[] = []): void {
    if (entries.length === 0) return;
    const insert = this.#statements.prepare("INSERT INTO audit (place, line) VALUES (?, ?)");
    const end = this.#ends.get(owner) ?? this.#endOf(owner);
    let last = end.last;
    const now = Date.now();
    for (const entry of entries) {
      const sealed = seal(entry, last, now);
      insert.run(end.start + sealed.sequence, sealed.line);
      last = sealed;
    }
    const { chain, sequence, hash } = last;
    this.#ends.set(owner, { start: end.start, last: { chain, sequence, hash } });
  }

  /** What was written last may be undone. */
  forget(): void {
    this.#ends.clear(); // 1.
  }

  /** As `Store.readAuditHead`. */
  head(owner: string): AuditLink | undefined {
    const start = this.#startOf(owner);
    return start === undefined ? undefined : this.#headAt(start);
  }

  /** As `Store.readAudit`. */
  read(owner: string, afterSequence: number, maxBytes: number): string[] {
    const lines: string[] = [];
    let bytes = 0;
    for (const line of this.#lines(owner, afterSequence, CHAIN_ROOM)) {
      lines.push(line);
      bytes += line.length;
      if (bytes >= maxBytes) break;
    }
    return lines;
  }

  /** As `Store.findAuditBefore`. */
  findBefore(owner: string, time: number): AuditLink | undefined {
    const newest = this.head(owner)?.sequence ?? 0;
    let found: AuditLink | undefined;
    let left = MOST_LOOKED_AT;
    // 2.
    for (const line of this.#lines(owner, 0, newest)) {
      const record = readLine(line);
      if (Date.parse(record.time) >= time) break;
      // What says that others were removed stays, or its own removal would bring the next.
      if (record.kind !== "records_removed") found = record;
      if (--left === 0) break;
    }
    return found && { chain: found.chain, sequence: found.sequence, hash: found.hash };
  }

  /** Removes a server's records up to one, which is not the last. */
  removeUpTo(owner: string, sequence: number): void {
    const start = this.#startOf(owner);
    if (start === undefined) return;
    const last = this.#headAt(start)?.sequence ?? 0;
    const sql = "DELETE FROM audit WHERE place > ? AND place <= ?";
    this.#statements.run(sql, start, start + Math.min(sequence, last - 1)); // 2.
  }

  /** The lines of a chain after a sequence and before another, in their order. */
  *#lines(owner: string, after: number, before: number): Generator<string> {
    const start = this.#startOf(owner);
    if (start === undefined) return;
    const sql = "SELECT line FROM audit WHERE place > ? AND place < ? ORDER BY place";
    for (const { line } of this.#statements.iterate(sql, start + after, start + before)) {
      yield String(line);
    }
  }

  #headAt(start: number): AuditLink | undefined {
    const sql = "SELECT line FROM audit WHERE place > ? AND place < ? ORDER BY place DESC LIMIT 1";
    const row = this.#statements.get(sql, start, start + CHAIN_ROOM);
    return row && linkOf(String(row.line));
  }

  /** Where a server's chain begins. Undefined: it has none. */
  #startOf(owner: string): number | undefined {
    const row = this.#statements.get("SELECT number FROM audit_chains WHERE owner = ?", owner);
    return row && Number(row.number) * CHAIN_ROOM;
  }

  #endOf(owner: string): ChainEnd {
    const found = this.#startOf(owner);
    if (found !== undefined) return { start: found, last: this.#headAt(found) ?? beginning() };
    this.#statements.run("INSERT INTO audit_chains (owner) VALUES (?)", owner);
    return { start: this.#startOf(owner)!, last: beginning() };
  }
}

/** Where a chain goes on. */
interface ChainEnd {
  /** The place before its first record. */
  readonly start: number;
  /** Its newest record. */
  readonly last: AuditLink;
}

function beginning(): AuditLink {
  return { chain: randomUUID(), sequence: 0, hash: NO_HASH };
}

function linkOf(line: string): AuditLink {
  const { chain, sequence, hash } = readLine(line);
  return { chain, sequence, hash };
}
