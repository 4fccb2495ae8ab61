import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { eventually } from "../support/processes.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";
import { type RunningCommand, runCommand, startCommand } from "./run-command.ts";

const script = (...steps: string[]) => steps.join("\n");

/** Everything that a command prints to stdout, as it grows. */
function stdoutOf(command: RunningCommand): () => string {
  let seen = "";
  command.process.stdout?.on("data", (piece: Buffer) => {
    seen += piece;
  });
  return () => seen;
}

/** The printed commands that answer what a turn waits for, as arguments. */
async function answersIn(stdout: () => string): Promise<{ approve: string[]; deny: string[] }> {
  const printed = await eventually(stdout, (text) => text.includes("--message TEXT"));
  const argumentsOf = (name: string) =>
    new RegExp(`^ {2}breakglass (${name} .*?)(?: --message TEXT)?$`, "m")
      .exec(printed)?.[1]
      ?.split(" ") ?? [];
  return { approve: argumentsOf("approve"), deny: argumentsOf("deny") };
}

async function turnIdOf(command: RunningCommand): Promise<string> {
  let seen = "";
  command.process.stderr?.on("data", (piece: Buffer) => {
    seen += piece;
  });
  const told = await eventually(
    () => /^turn (\S+)$/m.exec(seen)?.[1] ?? "",
    (id) => id !== "",
  );
  return told;
}

describe("commands against the server", () => {
  it("answer a tool call by the commands that were printed, and a later answer learns who was first", async () => {
    await using server = await startTestServer();
    const prompt = script('ask Bash {"command": "ls"}', 'ask Bash {"command": "rm"}');
    const command = startCommand(["run", "--url", server.url, "--ask", prompt]);
    const stdout = stdoutOf(command);
    const first = await answersIn(stdout);
    const changed = await runCommand([...first.approve, "--input", '{"command": "ls -l"}']);
    expect(changed).toEqual({ status: 0, stdout: "allowed with another input\n", stderr: "" });
    const late = await runCommand(first.deny);
    expect(late.status).toBe(3);
    expect(late.stderr).toContain("APPROVAL_RESOLVED");
    expect(late.stderr).toContain("principal: local");
    const second = () => stdout().slice(stdout().indexOf("Allowed by local"));
    const denied = await runCommand([...(await answersIn(second)).deny, "--message", "not that"]);
    expect(denied).toMatchObject({ status: 0, stdout: "denied\n" });
    const { status } = await command.ended;
    expect(stdout()).toContain('Allowed by local with another input: {"command": "ls -l"}');
    expect(stdout()).toContain('  | ran {"command":"ls -l"}\n');
    expect(stdout()).toContain("? Denied by local: not that (approval ");
    expect(status).toBe(stdout().includes("tool call was denied") ? 4 : 0);
  });

  it("let an approver answer for another's turn whose owner may not", async () => {
    await using server = await startTestServer();
    const tokens = join(server.root, "tokens");
    await writeFile(tokens, tokenLine("alices", "alice") + tokenLine("bobs", "bob"), {
      mode: 0o600,
    });
    await server.restart({
      BREAKGLASS_TOKENS_FILE: tokens,
      BREAKGLASS_APPROVERS: "bob",
      BREAKGLASS_SELF_APPROVAL: "forbidden",
    });
    const alice = { environment: { BREAKGLASS_TOKEN: "alices" } };
    const bob = { environment: { BREAKGLASS_TOKEN: "bobs" } };
    const prompt = 'ask Bash {"command": "ls"}';
    const command = startCommand(["run", "--url", server.url, "--ask", prompt], alice);
    const { approve } = await answersIn(stdoutOf(command));
    const own = await runCommand(approve, alice);
    expect(own.status).toBe(3);
    expect(own.stderr).toContain("PERMISSION_DENIED SELF_APPROVAL_FORBIDDEN");
    expect(await runCommand(approve, bob)).toMatchObject({ status: 0, stdout: "allowed\n" });
    const { status, stdout } = await command.ended;
    expect(status).toBe(0);
    expect(stdout).toContain("? Allowed by bob (approval ");
  });

  it("steer and interrupt a turn, whose process then takes the next one", async () => {
    await using server = await startTestServer({ BREAKGLASS_MAX_WARM_PROCESSES: "8" });
    const go = join(server.root, "go");
    const command = startCommand(["run", "--url", server.url, script("pid", `tool wait ${go}`)]);
    const stdout = stdoutOf(command);
    const turnId = await turnIdOf(command);
    await eventually(stdout, (text) => text.includes("> Wait"));
    const steered = await runCommand(["steer", "--url", server.url, turnId, "say steered"]);
    expect(steered.stdout).toMatch(/^recorded as event \d+\n$/);
    await eventually(stdout, (text) => text.includes("« local: say steered »"));
    const interrupted = await runCommand(["interrupt", "--url", server.url, turnId]);
    expect(interrupted).toMatchObject({ status: 0, stdout: "canceled\n" });
    const { status, stderr } = await command.ended;
    expect(status).toBe(1);
    const sessionId = /^session (\S+)$/m.exec(stderr)?.[1] ?? "";
    const next = await runCommand(["run", "--url", server.url, "--session", sessionId, "pid"]);
    const pidIn = (text: string) => /^pid (\d+)$/m.exec(text)?.[1];
    expect(pidIn(next.stdout)).toBe(pidIn(stdout()));
  });

  it("interrupt with Ctrl-C in run", async () => {
    await using server = await startTestServer();
    const go = join(server.root, "go");
    const command = startCommand([
      "run",
      "--url",
      server.url,
      script("say working", `tool wait ${go}`),
    ]);
    await eventually(stdoutOf(command), (text) => text.includes("> Wait"));
    command.process.kill("SIGINT");
    const { status, stdout, stderr } = await command.ended;
    expect(status).toBe(1);
    expect(stderr).toContain("Interrupting the turn…");
    expect(stdout).toContain("Ended by CANCELED");
  });

  it("watch a session, each turn once and from where the watching was left, the agent's own too", async () => {
    await using server = await startTestServer({ BREAKGLASS_MAX_WARM_PROCESSES: "8" });
    const url = server.url;
    const first = await runCommand(["run", "--url", url, script("background 300 say done")]);
    const sessionId = /^session (\S+)$/m.exec(first.stderr)?.[1] ?? "";
    const turnId = /^turn (\S+)$/m.exec(first.stderr)?.[1] ?? "";
    const command = startCommand(["watch", "--url", url, sessionId]);
    const stdout = stdoutOf(command);
    await eventually(stdout, (text) => text.split("\n").length > 4);
    const lines = stdout().trimEnd().split("\n");
    const own = `(by the agent itself after ${turnId})`;
    expect(lines).toHaveLength(4);
    expect(lines[0]).toContain(`started  ${turnId}  succeeded`);
    expect(lines[1]).toContain(`ended    ${turnId}  succeeded`);
    expect(lines[2]).toMatch(/started/);
    expect(lines[2]).toContain(own);
    expect(lines[3]).toMatch(/ended .* succeeded/);
    command.process.kill("SIGINT");
    const { status, stderr } = await command.ended;
    expect(status).toBe(130);
    const [, again = ""] = /^Watch again: breakglass (.*)$/m.exec(stderr) ?? [];
    const later = startCommand(again.split(" "));
    const rest = stdoutOf(later);
    await runCommand(["run", "--url", url, "--session", sessionId, "say more"]);
    await eventually(rest, (text) => text.includes("ended"));
    expect(rest().trimEnd().split("\n")).toHaveLength(2);
    later.process.kill("SIGINT");
    await later.ended;
  });

  it("send files into the workspace", async () => {
    await using server = await startTestServer();
    const path = join(server.root, "panel.log");
    await writeFile(path, "overheated");
    const ended = await runCommand([
      "run",
      "--url",
      server.url,
      "--attach",
      path,
      script("bash cat attachments-*/panel.log", "say done"),
    ]);
    expect(ended.stdout).toContain("  | overheated\n");
  });
});
