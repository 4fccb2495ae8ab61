import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { ownView } from "../../src/store/lists.ts";
import { prepare } from "../../src/store/sqlite/schema.ts";
import { Statements } from "../../src/store/sqlite/statements.ts";
import { TurnLists } from "../../src/store/sqlite/turn-lists.ts";

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
    ["for everyone", [], false, false, 14],
    ["for an approver", [], true, false, 21],
    ["for who sees all", [], true, true, 7],
    ["of one state", [TurnState.FAILED], true, false, 3],
  ])(
    "%s is read in its order from indexes, and sorted nowhere",
    (_whose, states, seesAsking, seesAll, parts) => {
      const { lists, plansOf } = open();
      const view = { ...ownView("alice"), seesAsking, seesAll };
      lists.ofAll(view, { states, since: 1 }, 10, { createTime: 2, turnId: "x" });
      const [plan = []] = plansOf();
      const read = plan.filter((step) => /^(SCAN|SEARCH)/.test(step));
      expect(read).toHaveLength(parts);
      for (const step of read) {
        expect(step).toMatch(
          /^SEARCH (turns USING COVERING INDEX turns_(by_state|that_ask|of_all)|shared_turns USING PRIMARY KEY) /,
        );
        expect(step).toContain("create_time>? AND (create_time,turn_id)<(?,?)");
      }
      expect(plan.filter((step) => step.includes("TEMP B-TREE"))).toEqual([]);
    },
  );
});
