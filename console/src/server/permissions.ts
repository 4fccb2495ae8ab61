import { ShareAccess } from "@breakglass/client";

/** Who acts: `CallerInfo` is one. */
export interface Actor {
  readonly principal: string;
  /** As the server tells them. */
  readonly roles: readonly string[];
}

/** What is acted on, as far as it says what somebody may do: a `Session`, a `Turn`, a `PendingApproval`, or what is known of several of them. */
export interface Acted {
  /** Whose session it is: `Session.principal`, `Turn.sessionPrincipal`. */
  readonly sessionPrincipal: string;
  /** `Session.access`. Undefined: the session was not asked for, or is not shown to the caller. */
  readonly access?: ShareAccess | undefined;
  /** `PendingApproval.may_resolve`, which also knows the server's settings. Undefined: it was not told. */
  readonly mayResolve?: boolean | undefined;
}

/** What is to be offered to somebody. The server decides all the same. */
export interface Offers {
  /** A turn in the session. */
  readonly run: boolean;
  readonly steer: boolean;
  readonly interrupt: boolean;
  readonly cancel: boolean;
  /** An approval. */
  readonly answer: boolean;
  /** The session, or to end that. */
  readonly share: boolean;
  /** The session. */
  readonly delete: boolean;
}

const NOTHING: Offers = {
  run: false,
  steer: false,
  interrupt: false,
  cancel: false,
  answer: false,
  share: false,
  delete: false,
};

/**
 * What a caller may do with what they see: the table of docs/access.md, which a test holds this against.
 *
 * A turn alone does not say what its session is shared for: without `access` only one's own is to be acted on, and everything by an admin.
 *
 * @param actor - Undefined: nobody is signed in.
 */
export function offersTo(actor: Actor | undefined, acted: Acted): Offers {
  if (actor === undefined) return NOTHING;
  const isOwn = acted.sessionPrincipal === actor.principal;
  const isAdmin = has(actor, "admin");
  const isOperator = has(actor, "operator");
  const operates = isAdmin || (isOperator && (isOwn || acted.access === ShareAccess.OPERATE));
  return {
    run: operates,
    steer: operates,
    interrupt: operates,
    cancel: operates,
    answer: acted.mayResolve ?? (operates || has(actor, "approver")),
    share: isAdmin || (isOperator && isOwn),
    delete: operates,
  };
}

/** Whether somebody may run a turn in a session that is new. */
export function mayOpenSession(actor: Actor | undefined): boolean {
  return actor !== undefined && (has(actor, "operator") || has(actor, "admin"));
}

/** Who has no role is an operator. */
function has({ roles }: Actor, role: string): boolean {
  return roles.length === 0 ? role === "operator" : roles.includes(role);
}
