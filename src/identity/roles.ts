import { z } from "zod";
import { ROLES, type Role } from "./caller.ts";

/** Roles as files of YAML have them. */
export const roleList = z
  .array(z.enum(ROLES, { error: `takes roles: ${ROLES.join(", ")}` }), {
    error: "takes a list of roles, such as [operator, approver]",
  })
  .min(1, { error: "takes a list of roles, one at least" });

/** Those of the names that are roles', in the order of roles. */
export function knownRoles(names: readonly string[]): Role[] {
  return ROLES.filter((role) => names.includes(role));
}
