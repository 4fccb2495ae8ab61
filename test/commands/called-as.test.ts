import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { calledAs } from "../../src/commands/command-form.ts";
import { REPOSITORY } from "../docs/pages.ts";
import { runCommand } from "./run-command.ts";

const folder = mkdtempSync(join(tmpdir(), "called-"));
afterAll(() => rmSync(folder, { recursive: true }));

const WRAPPER = join(REPOSITORY, "breakglass");
const NOWHERE = "http://127.0.0.1:1";
const PATH = process.env.PATH ?? "";

/** Calls the wrapper where nothing answers; the command that it prints begins as it was called. */
function joinedBy(command: string, options: { cwd: string; path?: string }) {
  const args = [...command.split(" "), "drill-is-not-a-command"];
  const { status, stderr } = spawnSync(args[0]!, args.slice(1), {
    cwd: options.cwd,
    env: { PATH: options.path ?? PATH, HOME: folder },
    encoding: "utf8",
  });
  return { status, stderr };
}

describe("a printed command", () => {
  const none = {
    wrapper: "",
    npmScript: "",
    isNpx: false,
    npmTook: [],
    searchPath: "/usr/bin:/opt/bin",
  };
  const installed = { node: "node", options: [], file: "/opt/bin/breakglass" };

  it.each([
    ["the wrapper of a clone", { ...none, wrapper: "./breakglass" }, installed, "./breakglass"],
    [
      "the wrapper with a space in its path",
      { ...none, wrapper: "./my clone/breakglass" },
      installed,
      "'./my clone/breakglass'",
    ],
    [
      "npm",
      { ...none, wrapper: "./breakglass", npmScript: "breakglass" },
      installed,
      "npm run -s breakglass --",
    ],
    [
      "npm start",
      { ...none, wrapper: "./breakglass", npmScript: "start" },
      installed,
      "npm run -s breakglass --",
    ],
    ["npm test, which is not it", { ...none, npmScript: "test" }, installed, "breakglass"],
    ["its name on PATH", none, installed, "breakglass"],
    ["npx", { ...none, isNpx: true }, installed, "npx breakglass"],
    ["its path", none, { ...installed, file: "/elsewhere/breakglass" }, "/elsewhere/breakglass"],
    [
      "Node",
      none,
      { node: "node", options: ["--disable-sigusr1"], file: "/src/main.ts" },
      "node --disable-sigusr1 /src/main.ts",
    ],
  ])("begins as this one did: by %s", (_how, called, call, text) => {
    expect(calledAs(called, call)).toBe(text);
  });
});

describe("the wrapper of a clone", () => {
  it("runs from another directory, by a link, and by its name on PATH", () => {
    const link = join(folder, "breakglass");
    symlinkSync(WRAPPER, link);
    const version = (command: string, path = PATH) =>
      execFileSync(command, ["--version"], { cwd: folder, env: { PATH: path }, encoding: "utf8" });
    const expected = version(WRAPPER);
    expect(expected).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(version(link)).toBe(expected);
    expect(version("./breakglass")).toBe(expected);
    expect(version("breakglass", `${folder}:${PATH}`)).toBe(expected);
  });

  it("says what to do before npm ci", () => {
    const clone = join(folder, "clone");
    cpSync(WRAPPER, join(clone, "breakglass"));
    const { status, stderr } = joinedBy("./breakglass", { cwd: clone });
    expect(status).toBe(2);
    expect(stderr).toContain(`(cd '${clone}' && npm ci)`);
    expect(stderr.split("\n")).toHaveLength(3);
  });
});

describe("npm run breakglass", () => {
  it("without -- refuses what npm took for itself, and with it runs", () => {
    const npm = (...args: string[]) =>
      spawnSync("npm", ["run", "-s", "breakglass", ...args], {
        cwd: REPOSITORY,
        env: { PATH, HOME: folder, BREAKGLASS_URL: NOWHERE },
        encoding: "utf8",
      });
    const taken = npm("sessions", "--json");
    expect(taken.status).toBe(2);
    expect(taken.stderr).toContain(
      'npm took --json for itself: write -- before the command, as in "npm run -s breakglass -- sessions …", or call ./breakglass',
    );
    expect(npm("--", "sessions", "--json").status).toBe(3);
  });
});

describe("completion", () => {
  it.each(["bash", "zsh", "fish"])(
    "prints a script for %s that asks this command line",
    async (shell) => {
      const { status, stdout } = await runCommand(["completion", shell], {
        environment: { BREAKGLASS_COMMAND: WRAPPER },
      });
      expect(status).toBe(0);
      expect(stdout).toContain(`${WRAPPER} complete -- `);
    },
  );

  it("knows commands, options and what options take", async () => {
    const complete = async (...words: string[]) =>
      (await runCommand(["complete", "--", ...words])).stdout;
    expect(await complete("se")).toMatch(/^sessions\t/m);
    expect(await complete("turns", "--st")).toMatch(/^--state\t/m);
    expect(await complete("export", "--format", "")).toMatch(/^html/m);
    expect(await complete("completion", "")).toMatch(/^fish/m);
  });

  it("works in bash alone, and runs nothing of what was typed", async () => {
    const environment = { BREAKGLASS_COMMAND: WRAPPER };
    const { stdout } = await runCommand(["completion", "bash"], { environment });
    const typed = join(folder, "typed");
    const complete = (...words: string[]) => {
      const line = ["breakglass", ...words].map((word) => `'${word}'`).join(" ");
      const script = `${stdout}
        COMP_WORDS=(${line}) COMP_CWORD=${words.length}
        __breakglass_complete; echo "\${COMPREPLY[*]}"`;
      const { stdout: reply, stderr } = spawnSync("bash", ["--norc", "-c", script], {
        encoding: "utf8",
      });
      return `${reply}${stderr}`;
    };
    expect(complete("ses")).toBe("sessions\n");
    expect(complete("compl")).toBe("completion\n");
    expect(complete("turns", "--url", "=", "http", ":", "//a", ":", "1", "--st")).toBe("--state\n");
    expect(complete("run", `"$(touch ${typed})"`, "--js")).toBe("--json\n");
    expect(complete("export", "abcd", ">", typed, "--fo")).toBe("--format\n");
    expect(existsSync(typed)).toBe(false);
  });

  it("of another shell is refused", async () => {
    const { status, stderr } = await runCommand(["completion", "tcsh"]);
    expect(status).toBe(2);
    expect(stderr).toContain("bash, zsh, fish");
  });
});
