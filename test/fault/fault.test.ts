import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { NODE_FLAGS } from "../support/program.ts";
import { ROWS } from "./rows.ts";

const PROGRAM = fileURLToPath(new URL("fault.ts", import.meta.url));
/** Few: that each row runs and holds is shown here; how well it holds is what many trials are for. */
const TRIALS = 2;
const LONGEST_MS = 300_000;
/** Rows that take minutes in however few trials: tests of src/edge, and of what is hostile, show the same. */
const LONG = new Set(["readers-stalled", "write-blocked", "half-open", "hostile-memory"]);
const SHORT = ROWS.filter(({ name }) => !LONG.has(name));

/** Runs the very command that `npm run fault` is. */
async function runFault(...args: string[]) {
  const child = spawn(process.execPath, [...NODE_FLAGS, PROGRAM, ...args], { timeout: LONGEST_MS });
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { stdout, stderr, status };
}

// Each waits more than it works: they do so together.
describe.concurrent("what is promised", () => {
  it.each(SHORT.map(({ name, bar }) => [name, bar]))(
    "holds under %s: %s",
    async (name) => {
      const { stdout, stderr, status } = await runFault(
        ...["--trials", String(TRIALS), "--only", name, "--untimed"],
      );
      expect(stderr).toBe("");
      const found = JSON.parse(stdout.split("\n")[0]!);
      expect(found).toMatchObject({ row: name, failures: 0, pass: true });
      if (found.skipped === undefined) expect(found.trials).toBeGreaterThan(0);
      expect(status).toBe(0);
    },
    LONGEST_MS,
  );
});

describe("the command", () => {
  it.each([
    ["without --trials", []],
    ["for no trials", ["--trials", "0"]],
    ["for a row that there is not", ["--trials", "1", "--only", "nothing"]],
    ["with an option that there is not", ["--trials", "1", "--faster"]],
  ])("called %s says how it is used, and exits 2", async (_how, args) => {
    const { stdout, stderr, status } = await runFault(...args);
    expect(stderr).toContain("usage: npm run fault -- --trials N");
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });
});
