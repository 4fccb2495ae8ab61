import type { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { SessionRecord, TurnRecord } from "./records.ts";

/** A part of a list, and how to ask for the next. */
export interface Page<T, K> {
  readonly items: readonly T[];
  /** The place after the last item; undefined: there are no more. */
  readonly next: K | undefined;
}

/** Which turns of a list are asked for. */
export interface TurnFilter {
  /** The states that they are in. Empty: any. */
  readonly states: readonly TurnState[];
  /** When they were recorded, at the earliest. Undefined: ever. */
  readonly since: number | undefined;
}

/** A session by its name: two principals may each have one of the same id. */
export interface SessionName {
  /** Whose it is. */
  readonly principal: string;
  readonly sessionId: string;
}

/** Which sessions somebody may see. */
export interface SessionView {
  /** Theirs are all seen, and what is shared with them. */
  readonly principal: string;
  /** What is shared with one of these is seen. */
  readonly roles: readonly string[];
  /** All are seen. */
  readonly seesAll: boolean;
}

/** Which turns somebody may see: all of the sessions that they see. */
export interface TurnView extends SessionView {
  /** Those in the mode ASK are seen whoever's they are. */
  readonly seesAsking: boolean;
}

/** Of a principal of whom nothing but the name is known. */
export function ownView(principal: string): TurnView {
  return { principal, roles: [], seesAll: false, seesAsking: false };
}

/** Whom a session is shared with: a principal, or all who have a role. */
export interface Grantee {
  readonly kind: "principal" | "role";
  /** Without spaces. */
  readonly name: string;
}

/** What whom a session is shared with may do in it: read it, or also run and act. */
export type SharedAccess = "read" | "operate";

/** One with whom a session is shared. */
export interface Share {
  readonly grantee: Grantee;
  readonly access: SharedAccess;
  readonly createTime: number;
}

/** A turn's place in the list of all turns. */
export interface TurnPlace {
  readonly createTime: number;
  readonly turnId: string;
}

/** A session as it is listed, and the newest of its turns that are on record. */
export interface ListedSession extends SessionRecord {
  /** Undefined: it has none. The prompt is cut to 256 bytes. */
  readonly lastTurn: Pick<TurnRecord, "turnId" | "state" | "prompt"> | undefined;
  /** All of them, whoever looks. */
  readonly shares: readonly Share[];
}

/** A session's place in a list of sessions. */
export interface SessionPlace extends SessionName {
  readonly lastActiveTime: number;
}
