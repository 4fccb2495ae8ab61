import { hash } from "node:crypto";
import { canonical, membersOf, objectOf } from "./canonical.ts";
import type { AuditEntry, AuditFacts } from "./entry.ts";

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

/** The next record of a chain. */
export function seal(entry: AuditEntry, after: AuditLink, time: number): SealedRecord {
  const { kind, caller, sessionId, turnId, facts } = entry;
  const { chain } = after;
  const sequence = after.sequence + 1;
  const body = {
    version: AUDIT_VERSION,
    ...{ chain, sequence, previous: after.hash },
    time: new Date(time).toISOString(),
    ...{ kind, session_id: sessionId, turn_id: turnId },
    who: caller && { name: caller.name, means: caller.means, address: caller.address },
    facts,
  };
  const members = membersOf(body);
  const sealed = hash("sha256", objectOf(members.map(([, text]) => text)));
  const place = members.findIndex(([name]) => name > "hash");
  const texts = members.map(([, text]) => text);
  const line = objectOf(texts.toSpliced(place, 0, `"hash":"${sealed}"`));
  return { chain, sequence, hash: sealed, line };
}

/** What a record's `hash` must be: of all its other members. */
export function hashOf({ hash: _, ...body }: AuditFacts): string {
  return hash("sha256", canonical(body));
}

/** A line that the store itself wrote, read again. */
export function readLine(line: string): AuditRecord {
  return JSON.parse(line) as AuditRecord;
}
