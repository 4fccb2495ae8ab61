import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { prepare } from "../../src/store/sqlite/schema.ts";
import { Statements } from "../../src/store/sqlite/statements.ts";
import { TurnChangeLists } from "../../src/store/sqlite/turn-change-lists.ts";
import { TurnChangesTable } from "../../src/store/sqlite/turn-changes-table.ts";

/** Notes what is asked of the database. */
class NotedStatements extends Statements {
  readonly asked = new Set<string>();

  override prepare(sql: string) {
    this.asked.add(sql);
    return super.prepare(sql);
  }
}

it("reads changes in their order, and those that stand without the others", () => {
  const database = new DatabaseSync(":memory:");
  prepare(database);
  database.exec("PRAGMA foreign_keys = OFF");
  const statements = new NotedStatements(database);
  const table = new TurnChangesTable(statements);
  const lists = new TurnChangeLists(statements, table);
  lists.all(0, 10);
  lists.standing(0, 10);
  table.addState(1, "changed", 1);
  table.addState(1, "ended", 2);
  table.addApproval(1, 1, { sequence: 1, approvalId: "a", isRequest: false });
  const steps = [...statements.asked].flatMap((sql) =>
    database
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map(({ detail }) => String(detail)),
  );
  expect(steps.join("\n")).not.toMatch(/TEMP B-TREE|SCAN (turns|turn_changes|events)/);
  const standing = "SEARCH turn_changes USING INDEX turn_changes_standing";
  expect(steps.join("\n")).toContain(`${standing} (`);
  expect(steps.filter((step) => step.startsWith(`${standing}_by_turn `))).toHaveLength(3);
});
