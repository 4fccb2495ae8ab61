import { describe, expect, it } from "vitest";
import { Permissions } from "../../src/identity/permissions.ts";
import { callerNamed } from "../support/caller.ts";

// What each role lets somebody do is in test/security/access-table.test.ts, over the wire.
describe("permissions", () => {
  const permissions = new Permissions({ approvers: ["bob"], selfApproval: "allowed" });
  const withoutRoles = { ...callerNamed("alice"), roles: [] };

  it("take somebody without roles for an operator", () => {
    expect(permissions.refusalToOperate(withoutRoles, "own")).toBeUndefined();
    expect(permissions.refusalToOperate(withoutRoles, "none")?.reason).toBe("NOT_ALLOWED");
    const operator = permissions.viewOf(callerNamed("alice"));
    expect(permissions.viewOf(withoutRoles)).toEqual(operator);
    expect(operator).toMatchObject({ seesAll: false, seesAsking: false });
  });

  it("give who is named an approver the role, beside their own", () => {
    expect(permissions.viewOf(callerNamed("bob")).roles).toEqual(["operator", "approver"]);
    expect(permissions.viewOf({ ...callerNamed("bob"), roles: ["viewer"] }).roles).toEqual([
      "viewer",
      "approver",
    ]);
  });
});
