import { Refusal } from "../errors.ts";
import type { Caller, Role } from "./caller.ts";

/** What a caller is to a session: whose it is, what it is shared with them for, or a stranger whose roles may let them see it. */
export type Standing = "own" | "operate" | "read" | "none";

/** A share of a session, as far as it says what somebody may do. */
interface GrantedAccess {
  readonly grantee: { readonly kind: "principal" | "role"; readonly name: string };
  readonly access: "read" | "operate";
}

/** A session, as far as it says what somebody may do. */
export interface SharedSession {
  readonly principal: string;
  readonly shares: readonly GrantedAccess[];
}

/** A turn that asks for an approval, as far as it says who may answer. */
export interface AskingTurn {
  /** Who runs it. */
  readonly principal: string;
  /** The caller has told its agent something while it ran. */
  readonly isSteeredByCaller: boolean;
}

/** Who may answer for a turn in the mode ASK. */
export interface ApprovalPolicy {
  /** Principals who have the role `approver`, whatever their credentials say. */
  readonly approvers: readonly string[];
  /** Whether who runs or steers a turn may answer for it; where not, only approvers answer at all. */
  readonly selfApproval: "allowed" | "forbidden";
}

/** Of who has none: what everyone could do before there were roles. */
const DEFAULT_ROLES: readonly Role[] = ["operator"];

/**
 * What each caller may do: the table of docs/access.md, which a test holds it against.
 *
 * 1. Of several roles each gives what it gives.
 * 2. What a caller does not see is not found, before anything else is said: `viewOf` says what that is, and the store holds
 *    to it. The others are asked about what the caller sees.
 */
export class Permissions {
  readonly #policy: ApprovalPolicy;

  constructor(policy: ApprovalPolicy) {
    this.#policy = policy;
  }

  /** The roles that a caller has, by credentials and settings. */
  rolesOf({ name, roles }: Caller): readonly Role[] {
    const given = roles.length === 0 ? DEFAULT_ROLES : roles;
    const isNamed = this.#policy.approvers.includes(name) && !given.includes("approver");
    return isNamed ? [...given, "approver"] : given;
  }

  /** What a caller sees, to the store. */
  viewOf(caller: Caller) {
    const roles = this.rolesOf(caller);
    return {
      principal: caller.name,
      roles,
      seesAll: roles.includes("viewer") || roles.includes("admin"),
      seesAsking: roles.includes("approver"),
    };
  }

  standingOf(caller: Caller, { principal, shares }: SharedSession): Standing {
    if (principal === caller.name) return "own";
    const granted = shares.filter(({ grantee }) => this.isGrantee(caller, grantee));
    if (granted.some(({ access }) => access === "operate")) return "operate";
    return granted.length > 0 ? "read" : "none";
  }

  /** Whether what is shared with a principal or a role is shared with a caller. */
  isGrantee(caller: Caller, { kind, name }: GrantedAccess["grantee"]): boolean {
    const roles: readonly string[] = this.rolesOf(caller);
    return kind === "role" ? roles.includes(name) : name === caller.name;
  }

  /** Why a caller may not run turns in a session, act on them or delete it: ROLE_MISSING or NOT_ALLOWED. Undefined: they may. */
  refusalToOperate(caller: Caller, standing: Standing): Refusal | undefined {
    return this.#refusalOf(caller, standing === "own" || standing === "operate", "operate");
  }

  /** Why a caller may not share a session, or end that, likewise. */
  refusalToShare(caller: Caller, standing: Standing): Refusal | undefined {
    return this.#refusalOf(caller, standing === "own", "own");
  }

  /** Whether a caller is told of everyone whom a session is shared with, and not only of what is shared with themselves. */
  seesShares(caller: Caller, standing: Standing): boolean {
    return standing === "own" || this.rolesOf(caller).includes("admin");
  }

  /** Why a caller may not answer for a turn, likewise, or SELF_APPROVAL_FORBIDDEN. */
  refusalToAnswer(caller: Caller, standing: Standing, turn: AskingTurn): Refusal | undefined {
    const roles = this.rolesOf(caller);
    const isApprover = roles.includes("approver") || roles.includes("admin");
    if (!isApprover && this.refusalToOperate(caller, standing)) return roleMissing("approver");
    if (this.#policy.selfApproval === "allowed") return undefined;
    if (turn.principal === caller.name || turn.isSteeredByCaller) {
      const message = "who runs or steers a turn does not answer for it here: ask an approver";
      return new Refusal("SELF_APPROVAL_FORBIDDEN", message);
    }
    return isApprover ? undefined : roleMissing("approver");
  }

  /** Why a caller may not read the audit: ROLE_MISSING. Undefined: they may. */
  refusalToReadAudit(caller: Caller): Refusal | undefined {
    return this.rolesOf(caller).includes("admin") ? undefined : roleMissing("admin");
  }

  /** An admin lacks nothing, and an operator perhaps the access. */
  #refusalOf(caller: Caller, hasAccess: boolean, access: "own" | "operate"): Refusal | undefined {
    const roles = this.rolesOf(caller);
    if (roles.includes("admin")) return undefined;
    if (!roles.includes("operator")) return roleMissing("operator");
    return hasAccess ? undefined : notAllowed(access);
  }
}

function roleMissing(role: Role): Refusal {
  const message = `it takes the role ${role}`;
  return new Refusal("ROLE_MISSING", message, { metadata: { role } });
}

/** Refuses what only those may do to whom a session belongs, or with whom it is shared for that. */
function notAllowed(access: "own" | "operate"): Refusal {
  const message =
    access === "own"
      ? "only whose session it is, or an admin, may do that"
      : "the session is not shared with you to operate";
  return new Refusal("NOT_ALLOWED", message, { metadata: { access } });
}
