import { hash } from "node:crypto";
import { canonical } from "./canonical.ts";
import type { AuditEntry, AuditFacts, AuditValue, WrittenEntry } from "./entry.ts";

/** Of the format, which every record names. */
export const AUDIT_VERSION = 1;
/** What the first record of a chain has in the place of the hash of the one before. */
export const NO_HASH = "0".repeat(64);

/** Where a chain stands: the record that the next one follows. */
export interface AuditLink {
  /** The chain's id, a UUID. */
  readonly chain: string;
  readonly sequence: number;
  /** SHA-256, 64 hex digits. */
  readonly hash: string;
}

/** A record as it is read: its members are those of its line, by their names there. */
export interface AuditRecord extends AuditLink {
  readonly version: number;
  readonly previous: string;
  /** RFC 3339 in UTC with milliseconds, as the server's clock had it. */
  readonly time: string;
  readonly kind: string;
  readonly session_id?: string;
  readonly turn_id?: string;
  readonly who?: { readonly name: string; readonly means: string; readonly address: string };
  readonly facts?: AuditFacts;
}

/** A record and the line that it is kept and handed out as, without a newline. */
export interface SealedRecord extends AuditLink {
  readonly line: string;
}

/** An entry on its way to another thread: a text takes a fraction of what objects do. */
export function written({ facts, ...entry }: AuditEntry): WrittenEntry {
  return facts === undefined ? entry : { ...entry, facts: canonical(facts) };
}

/** The next record of a chain. Its members are written in the order of their names, as `canonical` has them. */
export function seal(entry: WrittenEntry, after: AuditLink, time: number): SealedRecord {
  const { kind, caller, sessionId, turnId, facts } = entry;
  const { chain } = after;
  const sequence = after.sequence + 1;
  const who = caller && { name: caller.name, means: caller.means, address: caller.address };
  const said = typeof facts === "string" ? `,"facts":${facts}` : member("facts", facts);
  const before = `{"chain":"${chain}"${said}`;
  const behind =
    `,"kind":"${kind}","previous":"${after.hash}","sequence":${sequence}` +
    member("session_id", sessionId) +
    `,"time":"${new Date(time).toISOString()}"` +
    member("turn_id", turnId) +
    `,"version":${AUDIT_VERSION}${member("who", who)}}`;
  const sealed = hash("sha256", before + behind);
  return { chain, sequence, hash: sealed, line: `${before},"hash":"${sealed}"${behind}` };
}

function member(name: string, value: AuditValue | undefined): string {
  return value === undefined ? "" : `,"${name}":${canonical(value)}`;
}

/** What a record's `hash` must be: of all its other members. */
export function hashOf({ hash: _, ...body }: AuditFacts): string {
  return hash("sha256", canonical(body));
}

/** A line that the store itself wrote, read again. */
export function readLine(line: string): AuditRecord {
  return JSON.parse(line) as AuditRecord;
}
