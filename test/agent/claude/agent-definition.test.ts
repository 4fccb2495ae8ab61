import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SHIPPED_AGENT, shippedAgents } from "../../../src/agent/claude/agent-definition.ts";

let root: string;
let agents: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "breakglass-test-"));
  agents = join(root, "workspace", ".claude", "agents");
  mkdirSync(join(agents, "team"), { recursive: true });
});
afterEach(() => rm(root, { recursive: true }));

const definition = (name: string) => `---\nname: ${name}\ndescription: d\n---\nprompt\n`;

function shipped(agent = SHIPPED_AGENT): Promise<string | undefined> {
  return shippedAgents(agent, join(root, "workspace"), join(root, "config"));
}

describe("the shipped agent definition", () => {
  it("is handed over where nobody defines its name", async () => {
    writeFileSync(join(agents, "other.md"), definition("other"));
    expect(Object.keys(JSON.parse((await shipped())!))).toEqual([SHIPPED_AGENT]);
    expect(await shipped("other")).toBeUndefined();
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
