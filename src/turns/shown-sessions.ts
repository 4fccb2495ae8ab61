import { Refusal } from "../errors.ts";
import type { Caller } from "../identity/caller.ts";
import type { Permissions } from "../identity/permissions.ts";
import type { ListedSession } from "../store/lists.ts";
import type { Grantee, Share } from "../store/views.ts";

/** A share as it is asked for. */
export type SentShare = Omit<Share, "createTime">;

/** A session as a caller is shown it: of its shares those that are theirs to know. */
export interface ShownSession extends ListedSession {
  /** The most that they may do in it. */
  readonly access: "read" | "operate";
}

/** A session that a caller sees, as it is shown to them. */
export function shownTo(
  caller: Caller,
  session: ListedSession,
  permissions: Permissions,
): ShownSession {
  const standing = permissions.standingOf(caller, session);
  const refusal = permissions.refusalToOperate(caller, standing);
  const access = refusal === undefined ? "operate" : "read";
  if (permissions.seesShares(caller, standing)) return { ...session, access };
  const shares = session.shares.filter(({ grantee }) => permissions.isGrantee(caller, grantee));
  return { ...session, shares, access };
}

/** @throws Refusal INVALID_ARGUMENT where a session would be shared with whose it is. */
export function refuseOwner(principal: string, { kind, name }: Grantee): void {
  if (kind !== "principal" || name !== principal) return;
  const description = "must be another than the session's own principal";
  throw new Refusal("INVALID_ARGUMENT", `with.principal ${description}`, {
    violations: [{ field: "with.principal", description }],
  });
}
