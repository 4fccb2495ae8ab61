import { execFileSync } from "node:child_process";
import { chownSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { collect, valuesOf } from "../support/events.ts";
import { eventually, processesWith } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { type ServeProcess, startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment, MARKER } from "../support/test-environment.ts";

/** A user that nothing else runs as: root's processes have no limit. */
const USER = 61235;
const AS_USER =
  process.getuid?.() === 0
    ? ["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"]
    : [];

/** A server that can be brought to its user's limit of processes, where no thread is to be had either. */
async function startServer(settings: Readonly<Record<string, string>>) {
  await using cleanup = new AsyncDisposableStack();
  const { root, variables } = cleanup.use(await createTestEnvironment(settings));
  if (AS_USER.length > 0) chownSync(root, USER, USER);
  const server = cleanup.use(await startServeProcess(variables, AS_USER));
  const before = /^Max processes\s+(\d+|unlimited)/m.exec(limitsOf(server))![1]!;
  const setLimit = (processes: string) => {
    const [command, ...args] = [...AS_USER, "prlimit", `--pid=${server.pid}`];
    execFileSync(command!, [...args, `--nproc=${processes}:`]);
  };
  const owned = cleanup.move();
  return {
    server,
    takeThreads: () => setLimit("1"),
    giveThreads: () => setLimit(before),
    agents: () => processesWith(MARKER, variables[MARKER]!).filter((pid) => pid !== server.pid),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function limitsOf({ pid }: ServeProcess): string {
  return readFileSync(`/proc/${pid}/limits`, "utf8");
}

/** The one of the turn may be ending by itself. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

describe("a server that gets no thread more", () => {
  it("lives on where a process that waits for a session ends, and removes its workspace", async () => {
    await using limited = await startServer({ BREAKGLASS_SPARE_PROCESSES: "1" });
    const { server } = limited;
    using connection = connect(server.url);
    const { client } = connection;
    const [spare] = await eventually(limited.agents, (pids) => pids.length > 0);
    expect(valuesOf(await collect(client.runTurn({ prompt: "say up" })), "result")).toHaveLength(1);
    const isNew = (pids: number[]) => pids.some((pid) => pid !== spare);
    const pids = await eventually(limited.agents, isNew);
    limited.takeThreads();
    for (const pid of pids) killIfThere(pid);
    await eventually(limited.agents, (found) => found.length === 0);
    await client.listSessions({});
    limited.giveThreads();
    expect(valuesOf(await collect(client.runTurn({ prompt: "say up" })), "result")).toHaveLength(1);
    expect(await server.end("SIGTERM")).toBe(0);
  });

  it("reads long messages all the same", async () => {
    await using limited = await startServer({ BREAKGLASS_MAX_WARM_PROCESSES: "1" });
    const { server } = limited;
    using connection = connect(server.url);
    const { client } = connection;
    const [first] = valuesOf(await collect(client.runTurn({ prompt: "say up" })), "checkpoint");
    expect(first).toBeDefined();
    const { sessions } = await client.listSessions({});
    limited.takeThreads();
    const prompt = `say ${"x".repeat(100_000)}`;
    const events = await collect(client.runTurn({ prompt, sessionId: sessions[0]!.sessionId }));
    expect(valuesOf(events, "result")).toHaveLength(1);
    limited.giveThreads();
    expect(await server.end("SIGTERM")).toBe(0);
  });
});
