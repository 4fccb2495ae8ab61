import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer, tokenLine } from "../support/test-server.ts";
import { runCommand } from "./run-command.ts";

let server: TestServer;
let at: string[];
const alice = { environment: { BREAKGLASS_TOKEN: "alices" } };
const bob = { environment: { BREAKGLASS_TOKEN: "bobs" } };
beforeAll(async () => {
  server = await startTestServer();
  const tokens = join(server.root, "tokens");
  await writeFile(tokens, tokenLine("alices", "alice") + tokenLine("bobs", "bob"), { mode: 0o600 });
  await server.restart({ BREAKGLASS_TOKENS_FILE: tokens });
  at = ["--url", server.url];
});
afterAll(() => server[Symbol.asyncDispose]());

/** Runs a turn and answers its ids. */
async function runTurn(who: typeof alice, ...options: string[]) {
  const { stdout } = await runCommand(["run", ...at, "--json", ...options, "say hello"], who);
  return JSON.parse(stdout.split("\n", 1)[0]!) as { turnId: string; sessionId: string };
}

describe("share and unshare", () => {
  it("let another read a session, and then work in it by its owner's name, and then neither", async () => {
    const { turnId, sessionId } = await runTurn(alice);
    const theirs = `alice/${sessionId}`;
    const shared = await runCommand(["share", ...at, sessionId.slice(0, 8), "bob"], alice);
    expect(shared).toMatchObject({ status: 0, stdout: "shared with bob\n" });
    const listed = await runCommand(["sessions", ...at], bob);
    expect(listed.stdout).toMatch(new RegExp(`^${theirs} .* shared with bob`));
    expect((await runCommand(["turns", ...at, theirs], bob)).stdout).toContain(turnId);
    expect((await runCommand(["show", ...at, turnId], alice)).stdout).toContain("shared with bob");
    const read = await runCommand(["run", ...at, "--session", theirs, "say no"], bob);
    expect(read.stderr).toContain("PERMISSION_DENIED NOT_ALLOWED");
    const operate = ["share", ...at, sessionId, "role:operator", "--operate"];
    expect((await runCommand(operate, alice)).stdout).toBe(
      "shared with bob, role:operator (operate)\n",
    );
    const taken = await runTurn(bob, "--session", theirs);
    expect(taken.sessionId).toBe(sessionId);
    expect((await runCommand(["show", ...at, taken.turnId], bob)).stdout).toContain(
      `session ${sessionId} of alice`,
    );
    for (const grantee of ["bob", "role:operator"]) {
      await runCommand(["unshare", ...at, sessionId, grantee], alice);
    }
    expect((await runCommand(["sessions", ...at], bob)).stderr).toBe("No sessions.\n");
    expect((await runCommand(["turns", ...at, theirs], bob)).stderr).toContain("NOT_FOUND");
  });

  it("have a beginning of an id mean one's own, whatever others share under it", async () => {
    const { sessionId } = await runTurn(alice);
    await runCommand(["share", ...at, sessionId, "bob", "--operate"], alice);
    const beginning = sessionId.slice(0, 20);
    const unknown = await runCommand(["run", ...at, "--session", beginning, "say mine"], bob);
    expect(unknown).toMatchObject({ status: 2 });
    expect((await runCommand(["turns", ...at, `alice/${beginning}`], bob)).status).toBe(0);
    const own = await runTurn(bob, "--session", sessionId);
    const { stdout } = await runCommand(["turns", ...at, sessionId], bob);
    expect(stdout.trim().split("\n")).toHaveLength(1);
    expect(stdout).toContain(own.turnId);
  });

  it("say which roles there are", async () => {
    const { status, stderr } = await runCommand(["share", ...at, "abcd", "role:root"], alice);
    expect(status).toBe(2);
    expect(stderr).toContain("role:viewer, operator, approver or admin");
  });
});
