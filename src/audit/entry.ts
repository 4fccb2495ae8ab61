import type { Caller } from "../identity/caller.ts";

/** What an audit record can be of. Readers skip kinds that they do not know: more may come. */
export type AuditKind =
  | "server_started"
  | "server_draining"
  | "server_ended"
  | "audit_off"
  | "entries_lost"
  | "records_removed"
  | "token_added"
  | "token_removed"
  | "sign_in_refused"
  | "turn_started"
  | "tools_called"
  | "approval_asked"
  | "approval_resolved"
  | "turn_steered"
  | "turn_interrupted"
  | "turn_canceled"
  | "turn_ended"
  | "session_shared"
  | "session_unshared"
  | "session_deleted"
  | "turns_expired"
  | "audit_read";

/** What a record can say. Numbers are whole, so that every language writes them alike. */
export type AuditValue =
  | string
  | number
  | boolean
  | readonly AuditValue[]
  | { readonly [name: string]: AuditValue | undefined };

/** What a record says beside who, what and where. Members that are undefined are left out. */
export type AuditFacts = Readonly<Record<string, AuditValue | undefined>>;

/** Who did what, without its place in a chain: the store gives it that with what it is the record of. */
export interface AuditEntry {
  readonly kind: AuditKind;
  /** Who asked for it. Undefined: the server did it by itself, or the agent. */
  readonly caller?: Pick<Caller, "name" | "means" | "address"> | undefined;
  /** As its principal knows it. Undefined: it concerns none. */
  readonly sessionId?: string | undefined;
  /** Undefined: it concerns none. */
  readonly turnId?: string | undefined;
  readonly facts?: AuditFacts;
}

/** The same, whose facts may be the text already that they are recorded as (`canonical`). */
export type WrittenEntry = Omit<AuditEntry, "facts"> & { readonly facts?: AuditFacts | string };
