import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";

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

/** A turn, as far as it says who may see it. */
export interface SeenTurn {
  readonly permissionMode: PermissionMode;
  /** Whose session it is in, as one whom that is shared with, and those whom it is. */
  readonly seenBy: readonly Grantee[];
}

/** Whether somebody may see a turn. The one place that says so of what is not listed: lists say it in their queries. */
export function mayBeSeen({ permissionMode, seenBy }: SeenTurn, view: TurnView): boolean {
  if (view.seesAll || (view.seesAsking && permissionMode === PermissionMode.ASK)) return true;
  return seenBy.some((grantee) => isNamed(grantee, view));
}

/** Whether what is shared with a grantee is shared with somebody. */
export function isNamed({ kind, name }: Grantee, { principal, roles }: SessionView): boolean {
  return kind === "principal" ? name === principal : roles.includes(name);
}
