import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { runCommand } from "../commands/run-command.ts";

async function directoriesLeft(): Promise<string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith("breakglass-drill-"));
}

describe("drill", () => {
  it("rehearses a whole repair with the real agent, and leaves nothing behind", async () => {
    const before = await directoriesLeft();
    const environment = { PATH: process.env.PATH ?? "" };
    const { status, stdout, stderr } = await runCommand(["drill"], { environment });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^This is a drill: the model is scripted/);
    expect(stdout).toMatch(/^> Bash cat /m);
    expect(stdout).toMatch(/^ {2}\| port = 8080$/m);
    expect(stdout).toMatch(/^It was the gateway [0-9a-f-]{36}\.$/m);
    expect(stdout).toContain("The drill succeeded.");
    expect(await directoriesLeft()).toEqual(before);
  }, 60_000);
});
