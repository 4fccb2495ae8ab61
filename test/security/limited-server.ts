import { chownSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { BreakglassClient } from "#client";
import { EventReader } from "../support/event-reader.ts";
import { script } from "../support/gate.ts";
import { processesWith } from "../support/processes.ts";
import { type ServeProcess, startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment, MARKER } from "../support/test-environment.ts";

export const DEAF = 'trap "" TERM INT HUP; while :; do sleep 1; done';
/** An agent that heeds nothing, with a child in a session of its own that heeds nothing either. */
export const STUBBORN = script("ignore", `detach ${DEAF}`, "pid", "hang");

/** A user that nothing else runs as. */
export const USER = 61234;
/** Root's processes have no limit, and cgroups of their own. */
export const AS_USER =
  process.getuid?.() === 0
    ? ["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"]
    : [];

/** A server in a process of its own at a limit of descriptors. */
export interface LimitedServer extends AsyncDisposable {
  readonly server: ServeProcess;
  readonly root: string;
  /** The lines of its log. */
  log(): Record<string, unknown>[];
  /** What its agents run. */
  processes(): number[];
}

export async function startLimited(
  limit: number | "as it is",
  settings: Readonly<Record<string, string>> = {},
  asUser: readonly string[] = [],
): Promise<LimitedServer> {
  await using cleanup = new AsyncDisposableStack();
  const { root, variables } = cleanup.use(await createTestEnvironment(settings));
  const log = join(root, "log");
  if (asUser.length > 0) chownSync(root, USER, USER);
  const lower = limit === "as it is" ? "" : `ulimit -n ${limit}; `;
  const prefix = [...asUser, "sh", "-c", `${lower}exec "$@" 2>>"$0"`, log];
  const server = cleanup.use(await startServeProcess(variables, prefix));
  const owned = cleanup.move();
  return {
    server,
    root,
    log: () =>
      readFileSync(log, "utf8")
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line)),
    processes: () => processesWith(MARKER, variables[MARKER]!).filter((pid) => pid !== server.pid),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The ids of a turn that is read, for calls about it or its session. */
export function idsOf({ seen }: EventReader): { turnId: string; sessionId: string } {
  const { turnId, sessionId } = seen.at(-1)!;
  return { turnId, sessionId };
}

/** Runs a turn up to its first text. */
export async function running(client: BreakglassClient, prompt: string): Promise<EventReader> {
  const reader = new EventReader(client.runTurn({ prompt }));
  await reader.until("text");
  return reader;
}
