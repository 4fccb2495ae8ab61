import { randomUUID } from "node:crypto";
import type { AuditEntry } from "../../audit/entry.ts";
import { type AuditLink, NO_HASH, readLine, seal } from "../../audit/record.ts";
import type { Statements } from "./statements.ts";

/** So many records at most are looked at, and removed, in one commit. */
const MOST_LOOKED_AT = 1000;

/**
 * The audit chains, one for each server that wrote to this store.
 *
 * 1. A record follows the one that is in the table before it, as the transaction sees it. What is remembered of that is
 *    forgotten where anything in a transaction fails (`forget`): a savepoint or a transaction that is undone takes its records
 *    back, and the next one follows what is left.
 * 2. Records are removed only from the beginning of a chain, and never the last one.
 */
export class AuditTable {
  readonly #statements: Statements;
  /** The newest record of each chain, as it was last written or read. */
  readonly #last = new Map<string, AuditLink>();

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Puts entries on a server's chain, in their order. The first ever begins the chain. */
  append(owner: string, entries: readonly AuditEntry[] = []): void {
    if (entries.length === 0) return;
    const insert = this.#statements.prepare(
      "INSERT INTO audit (owner, sequence, line) VALUES (?, ?, ?)",
    );
    let last = this.#last.get(owner) ?? this.head(owner) ?? beginning();
    const now = Date.now();
    for (const entry of entries) {
      const sealed = seal(entry, last, now);
      insert.run(owner, sealed.sequence, sealed.line);
      last = sealed;
    }
    const { chain, sequence, hash } = last;
    this.#last.set(owner, { chain, sequence, hash });
  }

  /** What was written last may be undone. */
  forget(): void {
    this.#last.clear(); // 1.
  }

  /** As `Store.readAuditHead`. */
  head(owner: string): AuditLink | undefined {
    const sql = "SELECT line FROM audit WHERE owner = ? ORDER BY sequence DESC LIMIT 1";
    const row = this.#statements.get(sql, owner);
    return row && linkOf(String(row.line));
  }

  /** As `Store.readAudit`. */
  read(owner: string, afterSequence: number, maxBytes: number): string[] {
    const sql = "SELECT line FROM audit WHERE owner = ? AND sequence > ? ORDER BY sequence";
    const lines: string[] = [];
    let bytes = 0;
    for (const { line } of this.#statements.iterate(sql, owner, afterSequence)) {
      lines.push(String(line));
      bytes += String(line).length;
      if (bytes >= maxBytes) break;
    }
    return lines;
  }

  /** As `Store.findAuditBefore`. */
  findBefore(owner: string, time: number): AuditLink | undefined {
    const newest = this.head(owner)?.sequence ?? 0;
    // 2.
    const sql = "SELECT line FROM audit WHERE owner = ? AND sequence < ? ORDER BY sequence LIMIT ?";
    let found: AuditLink | undefined;
    for (const row of this.#statements.iterate(sql, owner, newest, MOST_LOOKED_AT)) {
      const record = readLine(String(row.line));
      if (Date.parse(record.time) >= time) break;
      // What says that others were removed stays, or its own removal would bring the next.
      if (record.kind !== "records_removed") found = record;
    }
    return found && { chain: found.chain, sequence: found.sequence, hash: found.hash };
  }

  /** Removes a server's records up to one, which is not the last. */
  removeUpTo(owner: string, sequence: number): void {
    const last = this.head(owner)?.sequence ?? 0;
    const sql = "DELETE FROM audit WHERE owner = ? AND sequence <= ?";
    this.#statements.run(sql, owner, Math.min(sequence, last - 1)); // 2.
  }
}

function beginning(): AuditLink {
  return { chain: randomUUID(), sequence: 0, hash: NO_HASH };
}

function linkOf(line: string): AuditLink {
  const { chain, sequence, hash } = readLine(line);
  return { chain, sequence, hash };
}
