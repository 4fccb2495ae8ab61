import { spawn, spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCommand } from "../commands/run-command.ts";
import { startServiceDouble } from "../commands/service-double.ts";
import { COMPILE_CACHE } from "../support/compile-cache.ts";
import { NODE_FLAGS, PROGRAM } from "../support/program.ts";

const MIB = 1024 * 1024;

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "breakglass-endless-"));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

/** Runs a command that reads a file, or a device, as its stdin. */
async function runReading(path: string, args: readonly string[]) {
  const stdin = openSync(path, "r");
  try {
    const child = spawn(process.execPath, [...NODE_FLAGS, PROGRAM, ...args], {
      env: COMPILE_CACHE,
      stdio: [stdin, "pipe", "pipe"],
    });
    const status = new Promise<number | null>((resolve) => child.on("close", resolve));
    const stderr = await text(child.stderr!);
    return { status: await status, stderr };
  } finally {
    closeSync(stdin);
  }
}

describe("stdin", () => {
  it.each([
    [["run", "-"], "prompt", 8 * MIB],
    [["steer", "x", "-"], "message", 64 * 1024],
    [["approve", "x", "y", "--input", "-"], "input", MIB],
  ])("that never ends is read no further than a server takes: %j", async (args, what, bytes) => {
    const { status, stderr } = await runReading("/dev/zero", args);
    expect(stderr).toBe(
      `breakglass: the ${what} on stdin has more than the ${bytes} bytes that a server takes\n`,
    );
    expect(status).toBe(2);
  });

  it("that cannot be read is said to be", async () => {
    const { status, stderr } = await runReading(directory, ["run", "-"]);
    expect(stderr).toBe("breakglass: the prompt on stdin cannot be read (EISDIR)\n");
    expect(status).toBe(2);
  });

  it.each([
    ["steer", ["steer", "x", "-"]],
    ["approve", ["approve", "x", "y", "--input", "-"]],
  ])("that is no UTF-8 is said to be: %s", async (_name, args) => {
    const ended = await runCommand(args, { stdin: Uint8Array.of(0x22, 0xc0, 0x22) });
    expect(ended.status).toBe(2);
    expect(ended.stderr).toContain("on stdin is not UTF-8");
  });

  it("of as many bytes as a server takes is sent whole", async () => {
    const messages: string[] = [];
    await using service = await startServiceDouble({
      steerTurn({ message }) {
        messages.push(message);
        return {};
      },
    });
    const stdin = "x".repeat(64 * 1024);
    const ended = await runCommand(["steer", "--url", service.url, "x", "-"], { stdin });
    expect(ended.status).toBe(0);
    expect(messages).toEqual([stdin]);
  });
});

describe("a file that is attached", () => {
  const attach = (...paths: string[]) =>
    runCommand(["run", ...paths.flatMap((path) => ["--attach", path]), "x"]);

  it.each([
    ["a pipe that nobody writes into", "pipe", "it is no file"],
    ["a directory", ".", "it is no file"],
    ["10 GB of nothing", "large", "it has more than 67108864 bytes"],
    ["a name that is a loop", "loop", "it cannot be read (ELOOP)"],
  ])("is refused by its name: %s", async (_what, name, why) => {
    spawnSync("mkfifo", [join(directory, "pipe")]);
    spawnSync("ln", ["-s", "loop", join(directory, "loop")]);
    await writeFile(join(directory, "large"), "");
    await truncate(join(directory, "large"), 10 * 1024 * MIB);
    const path = join(directory, name);
    const { status, stderr } = await attach(path);
    expect(stderr).toBe(`breakglass: ${JSON.stringify(path)} cannot be attached: ${why}\n`);
    expect(status).toBe(2);
  });

  // Its size is said to be 0; reading it gives hundreds of gigabytes.
  it.runIf(process.platform === "linux")(
    "is read no further where it goes on behind its size",
    async () => {
      const { status, stderr } = await attach("/proc/self/pagemap");
      expect(stderr).toBe(
        'breakglass: "/proc/self/pagemap" cannot be attached: it has more than 67108864 bytes\n',
      );
      expect(status).toBe(2);
    },
  );

  it("is refused where those before it leave no room for it", async () => {
    const paths = ["a", "b"].map((name) => join(directory, name));
    for (const path of paths) {
      await writeFile(path, "");
      await truncate(path, 40 * MIB);
    }
    const { status, stderr } = await attach(...paths);
    expect(stderr).toContain(
      `${JSON.stringify(paths[1])} cannot be attached: with the files before it`,
    );
    expect(status).toBe(2);
    const many = await attach(...Array.from({ length: 21 }, () => "/dev/zero"));
    expect(many).toMatchObject({
      status: 2,
      stderr: "breakglass: 21 files cannot be attached: a server takes 20\n",
    });
  });
});
