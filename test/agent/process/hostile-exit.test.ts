import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { PipedProcess } from "../../../src/agent/process/piped-process.ts";
import { readProcess } from "../../../src/agent/process/process-table.ts";

/** Above the time after which the pipes of a process that has exited are cut. */
const HELD_UP_MS = 900;

/** Holds the event loop up. */
function holdUp(isOver: () => boolean): void {
  const deadline = performance.now() + 10_000;
  while (!isOver() && performance.now() < deadline);
}

const env = { PATH: process.env.PATH ?? "" };
const ended = (pid: number | undefined) => readProcess(pid!) === undefined;

it("a process's last lines are read where the loop learns of its exit before it sees them, and is held up", async () => {
  // The grandchild keeps stdout open, so that only the cut ends it.
  const script = "sleep 600 & echo $!; read go; echo the result; exit 3";
  const cli = new PipedProcess("sh", ["-c", script], { cwd: "/", env, cgroup: undefined });
  let printed = "";
  const first = Promise.withResolvers<void>();
  const read = cli.read((chunk) => {
    printed += chunk;
    first.resolve();
    return Buffer.alloc(0);
  });
  await first.promise;

  // libuv looks at signals behind all that one poll found: whoever exits while the pipe of another is being served is
  // told of by that other's SIGCHLD, before its own pipe is looked at.
  const other = spawn("sh", ["-c", "read go; echo"], { env, stdio: "pipe" });
  other.stdout.on("data", () => {
    cli.write("go\n");
    holdUp(() => ended(cli.pid));
  });
  other.once("exit", () => {
    const until = performance.now() + HELD_UP_MS;
    setImmediate(() => holdUp(() => performance.now() > until));
  });
  await once(other, "spawn");
  other.stdin.write("go\n");
  holdUp(() => ended(other.pid));

  expect(await cli.exit).toEqual({ exitCode: 3, signal: null });
  await read;
  const [grandchild, ...lines] = printed.split("\n");
  process.kill(Number(grandchild), "SIGKILL");
  expect(lines).toEqual(["the result", ""]);
});

it("what was not taken of a process's output when it exits is not lost, nor is what comes behind it", async () => {
  const script = "echo first; read go; echo second";
  const cli = new PipedProcess("sh", ["-c", script], { cwd: "/", env, cgroup: undefined });
  let refusals = 0;
  let printed = "";
  await cli.read((chunk) => {
    cli.write("go\n");
    // Long enough for Node to learn of the exit.
    if (ended(cli.pid)) refusals++;
    if (refusals < 200) return chunk;
    printed += chunk;
    return Buffer.alloc(0);
  });
  expect(printed).toBe("first\nsecond\n");
});
