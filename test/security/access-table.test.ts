import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { openApiDocument } from "../../src/http/openapi.ts";
import { ROLES, type Role } from "../../src/identity/caller.ts";
import { type Answer, CALLS } from "./access-calls.ts";
import { type AccessRow, accessTable, type Outcome, STANDINGS } from "./access-table.ts";
import { type AccessWorld, type Asker, type Place, startAccessWorld } from "./access-world.ts";

const TABLE = accessTable();
/** The roles that calls take which do not take an operator. */
const LACKS: Readonly<Record<string, Role>> = {
  "`ResolveApproval`": "approver",
  "`ExportAudit`": "admin",
};
/** Every set of roles. */
const SETS = Array.from({ length: 2 ** ROLES.length - 1 }, (_, set) =>
  ROLES.filter((_role, index) => ((set + 1) >> index) % 2 === 1),
);

let world: AccessWorld;
beforeAll(async () => {
  world = await startAccessWorld(SETS);
});
afterAll(() => world[Symbol.asyncDispose]());

/** What somebody of some roles gets of a row: of what the roles get the best. */
function expected({ cells }: AccessRow, roles: readonly Role[]): Outcome[] {
  const outcomes = roles.map((role) => cells[role]);
  for (const best of ["yes", "–"] as const) if (outcomes.includes(best)) return [best];
  const denied = outcomes.filter((outcome) => outcome !== "NOT_FOUND");
  if (denied.length === 0) return ["NOT_FOUND"];
  // What one role lacks another may have: what is seen and not to be done lacks something, or there is nothing to be done.
  const nothing = cells.admin === "–" ? (["–"] as const) : [];
  return roles.length === 1 ? denied : ["ROLE_MISSING", "NOT_ALLOWED", ...nothing];
}

function outcomeOf(answer: Answer, row: AccessRow): Outcome | string {
  if (answer === undefined) return "yes";
  const lists = Object.values(row.cells).every((cell) => cell === "–");
  const nothing = lists ? "NOT_FOUND" : "APPROVAL_NOT_FOUND";
  return answer.reason === nothing ? "–" : answer.reason;
}

/** The place of a row to somebody: none, where there is no session yet. */
async function placeOf({ call, standing }: AccessRow, asker: Asker): Promise<Place> {
  if (standing !== "" && standing !== "a new one") {
    return world.place(standing, asker, CALLS[call]!.turn);
  }
  const names = { sessionId: randomUUID(), sessionPrincipal: "", turnId: "", approvalId: "" };
  return { ...names, owner: asker.asOperator };
}

/** Ends what a place has running. */
async function leave({ turnId, owner }: Place): Promise<void> {
  if (turnId !== "") await owner.cancelTurn({ turnId }).catch(() => {});
}

describe("the table of what each may do", () => {
  it("has rows of every call, for each standing", () => {
    const named = TABLE.map(({ call }) => call);
    for (const { name } of BreakglassService.methods) {
      const calls = new Set(named.filter((call) => call.startsWith(`\`${name}\``)));
      expect(calls.size, `${name} has no row in docs/access.md`).toBeGreaterThan(0);
      for (const call of calls) {
        const standings = TABLE.filter((row) => row.call === call).map(({ standing }) => standing);
        const ofSessions = standings.filter((each) => each !== "a new one");
        expect(ofSessions).toEqual(ofSessions[0] === "" ? [""] : [...STANDINGS]);
      }
    }
    for (const [path, methods] of Object.entries(
      openApiDocument().paths as Record<string, object>,
    )) {
      for (const method of Object.keys(methods)) {
        expect(named).toContain(`\`${method.toUpperCase()} ${path}\``);
      }
    }
    expect(new Set(named)).toEqual(new Set(Object.keys(CALLS)));
  });

  describe.each(TABLE)("$call of what is $standing", (row) => {
    const call = CALLS[row.call]!;

    it.each(ROLES)("by a %s is as it says", async (role) => {
      const asker = world.asker([role]);
      const place = await placeOf(row, asker);
      const answer = await call.ask(asker, place, world);
      expect([outcomeOf(answer, row)]).toEqual(expected(row, [role]));
      const lacks = LACKS[row.call] ?? "operator";
      const needs = row.call.includes("hareSession") ? "own" : "operate";
      if (answer?.reason === "ROLE_MISSING") expect(answer.metadata).toEqual({ role: lacks });
      if (answer?.reason === "NOT_ALLOWED") expect(answer.metadata).toEqual({ access: needs });
      await leave(place);
    });

    it("by somebody of several roles is what the best of them gets", async () => {
      for (const roles of SETS.filter(({ length }) => length > 1)) {
        const asker = world.asker(roles);
        const place = await placeOf(row, asker);
        const outcome = outcomeOf(await call.ask(asker, place, world), row);
        expect(expected(row, roles), roles.join()).toContain(outcome);
        await leave(place);
      }
    });
  });
});
