import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SERVE_SETTINGS } from "../../src/config/settings/sections.ts";
import { runCommand, startCommand } from "./run-command.ts";

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "breakglass-serve-"));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const SERVES = /^breakglass serves (http:\/\/127\.0\.0\.1:\d+)\n$/;

describe("serve", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "tells its address in one line, serves, and exits 0 on %s",
    async (signal) => {
      const environment = {
        BREAKGLASS_LISTEN: "127.0.0.1:0",
        BREAKGLASS_DATA_DIR: dataDir,
        BREAKGLASS_AGENT_COMMAND: "/nowhere/agent",
      };
      const server = startCommand(["serve"], { environment });
      const url = SERVES.exec(await firstLine(server))?.[1] ?? "";
      const list = await runCommand(["sessions", "--url", url]);
      server.process.kill(signal);
      const { status, stdout } = await server.ended;
      expect(list).toEqual({ status: 0, stdout: "", stderr: "No sessions.\n" });
      expect(status).toBe(0);
      expect(stdout).toMatch(SERVES);
    },
  );

  it("exits 2 with one line where a setting cannot be used", async () => {
    const ended = await runCommand(["serve"], { environment: { BREAKGLASS_LISTEN: "nowhere" } });
    expect(ended).toMatchObject({ status: 2, stdout: "" });
    expect(ended.stderr).toMatch(/^breakglass: BREAKGLASS_LISTEN is "nowhere", but takes .*\n$/);
  });

  it("exits 2 where a variable is not known, and names the one that was meant", async () => {
    const environment = {
      BREAKGLASS_LISTEN: "127.0.0.1:0",
      BREAKGLASS_DATA_DIR: dataDir,
      BREAKGLASS_PERMISION_MODE: "ask",
    };
    const server = startCommand(["serve"], { environment });
    // One that starts is to fail the test at once, not to serve until it times out.
    server.process.stdout?.on("data", () => server.process.kill());
    expect(await server.ended).toEqual({
      status: 2,
      stdout: "",
      stderr:
        "breakglass: BREAKGLASS_PERMISION_MODE is not a setting: did you mean BREAKGLASS_PERMISSION_MODE?\n",
    });
  });

  it("tells several problems in a line each", async () => {
    const environment = { BREAKGLASS_LISTEN: "nowhere", BREAKGLASS_MODEL: "a b" };
    const { status, stderr } = await runCommand(["serve"], { environment });
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^breakglass: BREAKGLASS_LISTEN is .*\nbreakglass: BREAKGLASS_MODEL is .*\n$/,
    );
  });

  it("lists the settings in its help, and the commands theirs", async () => {
    const variablesOf = async (command: string) => {
      const { stdout } = await runCommand([command, "--help"]);
      return stdout.match(/^ {2}BREAKGLASS_\w+$/gm)?.map((line) => line.trim());
    };
    expect((await variablesOf("serve"))?.sort()).toEqual(
      Object.values(SERVE_SETTINGS)
        .map(({ variable }) => variable)
        .sort(),
    );
    expect(await variablesOf("run")).toEqual(["BREAKGLASS_URL", "BREAKGLASS_TOKEN"]);
  });
});

function firstLine({ process }: ReturnType<typeof startCommand>): Promise<string> {
  return new Promise((resolve) => {
    let seen = "";
    process.stdout?.on("data", (piece: Buffer) => {
      seen += piece;
      if (seen.includes("\n")) resolve(seen);
    });
  });
}
