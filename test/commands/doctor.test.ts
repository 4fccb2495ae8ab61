import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { AGENT_FACTS } from "../../src/drill/agent-facts.ts";
import { NODE_FLAGS } from "../support/program.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");

/** What `breakglass doctor` prints of a program, and its exit status. */
async function examine(program: string, ...options: string[]) {
  await using cleanup = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "breakglass-doctor-"));
  cleanup.defer(() => rm(folder, { recursive: true }));
  const path = join(folder, "claude");
  await writeFile(path, program);
  await chmod(path, 0o700);
  return await new Promise<{ status: unknown; lines: string[] }>((resolve) => {
    const args = [...NODE_FLAGS, MAIN, "doctor", "--agent", path, ...options];
    execFile(process.execPath, args, (error, stdout) =>
      resolve({ status: error?.code ?? 0, lines: stdout.trim().split("\n") }),
    );
  });
}

it("tells of each fact that does not hold what was seen, and what does not work therefore", async () => {
  const program = "#!/bin/sh\necho \"error: unknown option '--input-format'\" >&2; exit 1\n";
  const { status, lines } = await examine(program, "--json");
  const findings = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(status).toBe(1);
  expect(findings.map(({ fact, holds, without }) => [fact, holds, without])).toEqual(
    AGENT_FACTS.map(({ name, without }) => [name, false, without]),
  );
  expect(findings[0]?.seen).toContain("does not know the option --input-format");
  const text = await examine(program);
  expect(text.status).toBe(1);
  expect(text.lines.slice(0, 3)).toEqual([
    `fails  ${AGENT_FACTS[0]?.holds}`,
    expect.stringContaining("seen: The agent's program does not know the option"),
    `       so: ${AGENT_FACTS[0]?.without}`,
  ]);
});
