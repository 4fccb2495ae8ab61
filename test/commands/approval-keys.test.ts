import { chmod, mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { startTestServer } from "../support/test-server.ts";
import { startOnTerminal } from "./on-terminal.ts";
import { runCommand } from "./run-command.ts";

const KEYS = "Press a to allow it, d to deny it, e to edit it.";
/** What is typed sooner is taken for typed before the question: see `Keyboard`. */
const READ_MS = 500;

const ask = (command: string) => `ask Bash ${JSON.stringify({ command })}`;

describe("one key, on a terminal,", () => {
  it("allows what waits, and the next thing that waits is another question", async () => {
    await using server = await startTestServer();
    const prompt = [ask("ls"), ask("rm"), "say over"].join("\n");
    await using terminal = startOnTerminal(["run", "--url", server.url, "--ask", prompt]);
    await terminal.see(KEYS);
    await wait(READ_MS);
    terminal.type("a");
    await terminal.see("Allowed by local");
    await terminal.see('ran {"command":"ls"}');
    await terminal.see(KEYS);
    await wait(READ_MS);
    terminal.type("d");
    await terminal.see("Tell the agent why");
    terminal.enter("not that");
    await terminal.see("Denied by local: not that");
    await terminal.see("over");
    expect([0, 4]).toContain(await terminal.ended);
  });

  it("allows nothing that was typed before the question, nor what is pasted, nor what is no answer", async () => {
    await using server = await startTestServer();
    await using terminal = startOnTerminal(["run", "--url", server.url, "--ask", ask("ls")]);
    terminal.type("aaaa");
    await terminal.see(KEYS);
    terminal.type("a");
    await wait(READ_MS);
    terminal.type("aa\r");
    terminal.type("\u001b[A");
    await wait(READ_MS);
    terminal.type("x");
    await terminal.see(KEYS);
    expect(terminal.screen()).not.toContain("Allowed by");
    await wait(READ_MS);
    terminal.type("a");
    await terminal.see("Allowed by local");
    expect(await terminal.ended).toBe(0);
  });

  it("edits the input in the editor, and what was not changed is not answered", async () => {
    await using server = await startTestServer();
    await using folder = await mkdtempDisposable(join(tmpdir(), "editor-"));
    const editor = join(folder.path, "editor");
    await writeFile(
      editor,
      `#!/bin/sh\ngrep -q '"ls"' "$1" && [ -e ${folder.path}/go ] && echo '{"command": "ls -l"}' > "$1"\nexit 0\n`,
    );
    await chmod(editor, 0o700);
    await using terminal = startOnTerminal(["run", "--url", server.url, "--ask", ask("ls")], {
      environment: { EDITOR: editor },
    });
    await terminal.see(KEYS);
    await wait(READ_MS);
    terminal.type("e");
    await terminal.see("Nothing was changed, and nothing is answered.");
    await writeFile(join(folder.path, "go"), "");
    await wait(READ_MS);
    terminal.type("e");
    await terminal.see('Allowed by local with another input: {"command": "ls -l"}');
    expect(await terminal.ended).toBe(0);
  });

  it("leaves Ctrl-C what it is, and goes back from a reason that is not given", async () => {
    await using server = await startTestServer();
    await using terminal = startOnTerminal(["run", "--url", server.url, "--ask", ask("ls")]);
    await terminal.see(KEYS);
    await wait(READ_MS);
    terminal.type("d");
    await terminal.see("Ctrl-C: back): ");
    terminal.type("\u0003");
    await terminal.see(`Nothing is answered. ${KEYS}`);
    await wait(READ_MS);
    expect(terminal.screen()).not.toContain("Denied by");
    terminal.type("\u0003");
    await terminal.see("Interrupting the turn");
    expect(await terminal.ended).toBe(1);
  });

  it("answers in attach what was asked before, and not what was answered", async () => {
    await using server = await startTestServer();
    const prompt = [ask("ls"), ask("rm")].join("\n");
    await using first = startOnTerminal(["run", "--url", server.url, "--ask", prompt]);
    await first.see(KEYS);
    await wait(READ_MS);
    first.type("a");
    await first.see(KEYS);
    const turnId = /^turn (\S+)$/m.exec(first.screen())?.[1] ?? "";
    await using second = startOnTerminal(["attach", "--url", server.url, turnId.slice(0, 30)]);
    await second.see("Allowed by local");
    await second.see("Bash waits for an approval");
    await second.see(KEYS);
    expect(second.screen().match(/waits for an approval/g)).toHaveLength(1);
    await wait(READ_MS);
    second.type("a");
    await second.see("Allowed by local");
    expect(await second.ended).toBe(0);
    expect(await first.ended).toBe(0);
    const { stdout } = await runCommand(["attach", "--url", server.url, turnId]);
    expect(stdout).not.toContain("waits for an approval");
    expect(stdout).not.toContain("breakglass approve");
    expect(stdout.match(/asked for an approval/g)).toHaveLength(2);
  });
});

describe("a terminal", () => {
  it("gets its lines wrapped at words, ids whole and commands on lines of their own", async () => {
    await using server = await startTestServer();
    const said = "say over the whole of the gateway and all that stands behind it";
    const run = await runCommand(["run", "--url", server.url, said]);
    const turnId = /^turn (\S+)$/m.exec(run.stderr)?.[1] ?? "";
    await using list = startOnTerminal(["turns", "--url", server.url], { columns: 50 });
    expect(await list.ended).toBe(0);
    const lines = list.screen().trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(50);
    expect(lines[0]).toContain(turnId);
    expect(list.screen().replaceAll(/\s+/g, " ")).toContain("gateway and all that");
    await using waiting = startOnTerminal(["run", "--url", server.url, "--ask", ask("ls")], {
      columns: 50,
    });
    await waiting.see(" --message TEXT");
    expect(waiting.screen()).toMatch(/^ {2}breakglass approve --url \S+ \S{36} \S{36}$/m);
  });
});
