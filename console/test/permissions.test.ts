import { ShareAccess } from "@breakglass/client";
import { describe, expect, it } from "vitest";
import { ROLES, type Role } from "../../src/identity/caller.ts";
import { accessTable, type Standing } from "../../test/security/access-table.ts";
import { type Acted, mayOpenSession, type Offers, offersTo } from "../src/server/permissions.ts";

const TABLE = accessTable();
/** The calls that an offer makes. */
const CALLS: Readonly<Record<keyof Offers, string>> = {
  run: "`RunTurn`",
  steer: "`SteerTurn`",
  interrupt: "`InterruptTurn`",
  cancel: "`CancelTurn`",
  answer: "`ResolveApproval`",
  share: "`ShareSession`",
  delete: "`DeleteSession`",
};
/** What a page knows of a session of each standing. */
const ACTED: Readonly<Partial<Record<Standing, Acted>>> = {
  own: { sessionPrincipal: "alice" },
  "shared to read": { sessionPrincipal: "bob", access: ShareAccess.READ },
  "shared to operate": { sessionPrincipal: "bob", access: ShareAccess.OPERATE },
  "another's, in ASK": { sessionPrincipal: "bob" },
};
const SETS = Array.from({ length: 2 ** ROLES.length - 1 }, (_, set) =>
  ROLES.filter((_role, index) => ((set + 1) >> index) % 2 === 1),
);

function isYes(call: string, standing: string, roles: readonly Role[]): boolean {
  const row = TABLE.find((each) => each.call === call && each.standing === standing)!;
  return roles.some((role) => row.cells[role] === "yes");
}

describe("what the page offers", () => {
  describe.each(Object.keys(CALLS) as (keyof Offers)[])("to %s", (offer) => {
    it.each(Object.keys(ACTED) as Standing[])("what is %s is what the table says", (standing) => {
      for (const roles of SETS) {
        const offered = offersTo({ principal: "alice", roles }, ACTED[standing]!)[offer];
        expect(offered, roles.join()).toBe(isYes(CALLS[offer], standing, roles));
      }
    });
  });

  it("is a new session to whom the table lets open one", () => {
    for (const roles of SETS) {
      const may = mayOpenSession({ principal: "alice", roles });
      expect(may, roles.join()).toBe(isYes("`RunTurn`", "a new one", roles));
    }
  });

  it("is to answer whatever the server says of an approval", () => {
    const operator = { principal: "alice", roles: ["operator"] };
    const own = { sessionPrincipal: "alice" };
    expect(offersTo(operator, { ...own, mayResolve: false }).answer).toBe(false);
    expect(offersTo(operator, { sessionPrincipal: "bob", mayResolve: true }).answer).toBe(true);
  });

  it("is an operator's to who has no role, and nothing to nobody", () => {
    expect(mayOpenSession({ principal: "alice", roles: [] })).toBe(true);
    expect(mayOpenSession(undefined)).toBe(false);
    expect(Object.values(offersTo(undefined, { sessionPrincipal: "" }))).not.toContain(true);
  });
});
