import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROLES, type Role } from "../../src/identity/caller.ts";
import { REPOSITORY } from "../docs/pages.ts";

/** Whose session something is asked of. */
export const STANDINGS = [
  "own",
  "shared to read",
  "shared to operate",
  "another's, in ASK",
  "another's",
] as const;
export type Standing = (typeof STANDINGS)[number] | "a new one" | "";

/** What a call comes to: it is done, it lists nothing because nothing is there, or it is refused for a reason. */
const OUTCOMES = ["yes", "–", "NOT_FOUND", "ROLE_MISSING", "NOT_ALLOWED"] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** A row of the table, of one call. */
export interface AccessRow {
  /** As it stands in the table. */
  readonly call: string;
  readonly standing: Standing;
  readonly cells: Readonly<Record<Role, Outcome>>;
}

/** The table of what each may do, from the documentation; a cell that says nothing known throws. */
export function accessTable(): AccessRow[] {
  const text = readFileSync(join(REPOSITORY, "docs/access.md"), "utf8");
  const lines = text.slice(text.indexOf("### The table")).split("\n");
  const table = lines.filter((line) => line.startsWith("|")).map(cellsOf);
  const [head = [], , ...rows] = table;
  const columns = head.map((name) => name.replaceAll("`", ""));
  let calls: string[] = [];
  return rows.flatMap(([named = "", standing = "", ...cells]) => {
    if (named !== "") calls = named.split(", ");
    const byRole = ROLES.map((role) => {
      const cell = OUTCOMES.find((outcome) => outcome === cells[columns.indexOf(role) - 2]);
      if (cell === undefined) throw new Error(`the table does not say what ${role} gets: ${cells}`);
      return [role, cell] as const;
    });
    if (!isStanding(standing)) throw new Error(`the table has an unknown standing: ${standing}`);
    return calls.map((call) => ({
      ...{ call, standing },
      cells: Object.fromEntries(byRole) as AccessRow["cells"],
    }));
  });
}

function cellsOf(line: string): string[] {
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}

function isStanding(text: string): text is Standing {
  return ["", "a new one", ...STANDINGS].includes(text);
}
