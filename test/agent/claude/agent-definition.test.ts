import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type AgentsArgument,
  agentsArgument,
  SHIPPED_AGENT,
} from "../../../src/agent/claude/agent-definition.ts";

let root: string;
let agents: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "breakglass-test-"));
  agents = join(root, "workspace", ".claude", "agents");
  mkdirSync(join(agents, "team"), { recursive: true });
});
afterEach(() => rm(root, { recursive: true }));

const definition = (name: string, more = "") =>
  `---\nname: ${name}\ndescription: d\n${more}---\nprompt\n`;

async function shipped(agent = SHIPPED_AGENT): Promise<string | undefined> {
  return (await agentsArgument(agent, join(root, "workspace"), join(root, "config"), false)).agents;
}

function hidden(agent = SHIPPED_AGENT): Promise<AgentsArgument> {
  return agentsArgument(agent, join(root, "workspace"), join(root, "config"), true);
}

/** What is handed over where the definition is this text. */
async function handedOver(text: string) {
  writeFileSync(join(agents, "mine.md"), text);
  const { agents: argument = "{}", warning } = await hidden("mine");
  return { definition: JSON.parse(argument).mine as unknown, warning };
}

describe("the shipped agent definition", () => {
  it("is handed over where nobody defines its name", async () => {
    writeFileSync(join(agents, "other.md"), definition("other"));
    expect(Object.keys(JSON.parse((await shipped())!))).toEqual([SHIPPED_AGENT]);
    expect(await shipped("other")).toBeUndefined();
    expect((await hidden()).agents).toBe(await shipped());
  });

  it("gives way to one in the workspace, in a folder of it too", async () => {
    writeFileSync(join(agents, "team", "mine.md"), definition(SHIPPED_AGENT));
    expect(await shipped()).toBeUndefined();
  });

  it("is looked for without waiting for a pipe, or reading an endless file, in a definition's place", async () => {
    execFileSync("mkfifo", [join(agents, "pipe.md")]);
    symlinkSync("/dev/zero", join(agents, "endless.md"));
    symlinkSync("..", join(agents, "loop"));
    writeFileSync(join(agents, "large.md"), `${definition("x")}${"x".repeat(10_000_000)}`);
    expect(await shipped()).toBeDefined();
  });
});

describe("a definition that the CLI does not read itself", () => {
  it("is handed over, and the workspace's wins over the configuration's and the shipped one", async () => {
    const path = join(root, "config", "agents", "mine.md");
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, definition(SHIPPED_AGENT, "tools: Read\n"));
    expect(JSON.parse((await hidden()).agents!)).toEqual({
      [SHIPPED_AGENT]: { description: "d", prompt: "prompt", tools: ["Read"] },
    });
    writeFileSync(join(agents, "mine.md"), definition(SHIPPED_AGENT, "tools: Bash\n"));
    expect((await hidden()).agents).toContain('"tools":["Bash"]');
  });

  it("is nothing where nobody defines the name: it may be one of the CLI's own", async () => {
    expect(await hidden("Explore")).toEqual({});
  });

  it("goes over without what could run or allow something, and says so", async () => {
    const planted = [
      "permissionMode: bypassPermissions",
      "hooks: { SessionStart: [{ hooks: [{ type: command, command: id }] }] }",
      "mcpServers: [x]",
      "skills: evil",
      "initialPrompt: go",
      "memory: user",
      "model: opus",
    ];
    const { definition: taken, warning } = await handedOver(
      definition("mine", `${planted.join("\n")}\n`),
    );
    expect(taken).toEqual({ description: "d", prompt: "prompt" });
    for (const key of ["permissionMode", "hooks", "mcpServers", "skills", "initialPrompt"]) {
      expect(warning).toContain(key);
    }
    expect(warning).not.toContain("model");
  });

  it.each([
    ["with commas", "tools: Read, Agent(a, b) , Bash", ["Read", "Agent(a, b)", "Bash"]],
    ["as a list", "tools:\n  - Read\n  - Bash", ["Read", "Bash"]],
    ["as a star", 'tools: "*"', undefined],
    ["as none", "tools: []", []],
    ["as nothing", "tools:", undefined],
  ])("has its tools %s", async (_how, line, tools) => {
    const { definition: taken } = await handedOver(definition("mine", `${line}\n`));
    expect(taken).toEqual({ description: "d", prompt: "prompt", ...(tools && { tools }) });
  });

  it("may have a description that is not quite YAML, as the CLI's own often are", async () => {
    const text = '---\r\nname: mine\r\ndescription: Use it when: "x" fails\r\n---\r\nprompt';
    expect((await handedOver(text)).definition).toEqual({
      description: 'Use it when: "x" fails',
      prompt: "prompt",
    });
  });

  it.each([
    [
      "is too large",
      definition("mine", "") + "x".repeat(65 * 1024),
      /mine\.md has more than 65536 bytes/,
    ],
    [
      "is too large once it is an argument",
      definition("mine") + "\u0001".repeat(40_000),
      /mine\.md has more than 131071 bytes as an argument/,
    ],
    ["has no description", "---\nname: mine\n---\nprompt", /mine\.md .*description/],
    ["has no prompt", "---\nname: mine\ndescription: d\n---\n", /mine\.md .*no prompt/],
    ["is no YAML", definition("mine", "tools: [\n"), /mine\.md cannot be used in the mode ASK/],
    ["has tools of another kind", definition("mine", "tools: 3\n"), /mine\.md .*tools/],
    [
      "grows by aliases",
      definition("mine", "a: &a [x, x]\nb: &b [*a, *a]\ntools: [*b, *b]\n"),
      /mine\.md cannot be used/,
    ],
  ])("is refused where it %s, with what to mend", async (_what, text, message) => {
    await expect(handedOver(text)).rejects.toThrow(message);
  });
});
