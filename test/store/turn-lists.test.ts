import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import type { TurnFilter } from "../../src/store/lists.ts";
import { prepare } from "../../src/store/sqlite/schema.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { Statements } from "../../src/store/sqlite/statements.ts";
import { TurnLists } from "../../src/store/sqlite/turn-lists.ts";
import { ownView, type TurnView } from "../../src/store/views.ts";
import { owned } from "../support/owned-store.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";

/** Notes what is asked of the database. */
class NotedStatements extends Statements {
  readonly asked = new Set<string>();

  override prepare(sql: string) {
    this.asked.add(sql);
    return super.prepare(sql);
  }
}

function open() {
  const database = new DatabaseSync(":memory:");
  prepare(database);
  const statements = new NotedStatements(database);
  const plansOf = () =>
    [...statements.asked].map((sql) =>
      database
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all()
        .map(({ detail }) => String(detail)),
    );
  return { lists: new TurnLists(statements), plansOf };
}

describe("a page of all turns", () => {
  it.each([
    ["for everyone", {}, {}, 28],
    ["for an approver", {}, { seesAsking: true }, 42],
    ["for who has a role", {}, { roles: ["operator"] }, 42],
    ["for who sees all", {}, { seesAll: true }, 14],
    ["of one principal, for who sees all", { principal: "bob" }, { seesAll: true }, 14],
    ["of one state", { states: [TurnState.FAILED] }, { seesAsking: true }, 6],
    ["of a caller's", { origin: TurnOrigin.CALLER, until: 5 }, { seesAsking: true }, 21],
    ["of one principal", { principal: "bob" }, { seesAsking: true }, 42],
    ["of the caller", { principal: "alice" }, { seesAsking: true }, 42],
    ["that is one of few with a text", { query: "text" }, { seesAsking: true }, 42],
  ] satisfies [string, Partial<TurnFilter>, Partial<TurnView>, number][])(
    "%s is read in its order from indexes, and sorted nowhere",
    (_whose, filter, seen, parts) => {
      const { lists, plansOf } = open();
      const view = { ...ownView("alice"), ...seen };
      const place = { createTime: 2, turnId: "x", searchKey: 2048 };
      lists.ofAll(view, { states: [], since: 1, ...filter }, 10, place);
      const [plan = []] = plansOf();
      const read = plan.filter((step) => /^(SCAN|SEARCH)/.test(step));
      expect(read).toHaveLength(parts);
      for (const step of read) {
        expect(step).toMatch(
          /^SEARCH (turns USING COVERING INDEX turns_(of_all|of_one|by_state|that_ask|of_one_by_state|of_one_that_ask)|shared_turns USING (PRIMARY KEY|COVERING INDEX shared_turns_of_one)) /,
        );
        expect(step).toContain("create_time>? AND (create_time,turn_id)<(?,?)");
      }
      expect(plan.filter((step) => step.includes("TEMP B-TREE"))).toEqual([]);
    },
  );
});

it("leaves nothing of a turn that is removed in the index of prompts, nor of its changes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "breakglass-lists-"));
  try {
    const path = join(folder, "breakglass.db");
    const store = owned(await openSqliteStore(path));
    const start = turnStart();
    await store.createTurn(start);
    const end = { turnId: start.turnId, firstSequence: 1, time: 2, end: SUCCEEDED };
    await store.append({ ...end, events: [new Uint8Array(1)] });
    await store.deleteNamed(start.newSession.sessionId, "alice", 3);
    while (await store.removeSome());
    await store.close();
    const database = new DatabaseSync(path);
    for (const table of ["turns", "turn_changes", "prompts_docsize"]) {
      expect(database.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.rows).toBe(0);
    }
    database.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});
