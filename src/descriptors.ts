import { readdirSync, readFileSync } from "node:fs";
import { ConfigError } from "./config/config-error.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import { throwExhaustion } from "./exhaustion.ts";
import { OPEN_AT_ONCE, TREES_AT_ONCE } from "./files/remove-tree.ts";
import type { Log } from "./log.ts";

/**
 * The file descriptors that each part of the server may hold at a time, all but those of connections. What is left of the
 * limit is for connections, so that no number of them takes a descriptor from a turn. Held against a running server in
 * test/security/descriptors.test.ts.
 */
export const NEEDED = {
  /** The store's file and its log of commits. */
  store: 2,
  /** What SQLite sets aside of a large change, so that it can be taken back. */
  storeTemporary: 2,
  /** The event loops of five threads (the store's, for processes, for messages, two for removals): epoll, io_uring, wake-ups. */
  threads: 5 * 5,
  listening: 1,
  /** Of one spawn at a time, which holds up the loop: the child's ends of its pipes, and the pipe that tells of exec. */
  spawning: 3 + 2,
  /** Of one look at a time in each thread: a folder or a file of /proc or of a cgroup. */
  looking: 2,
  /** The trees that are removed in one thread at a time, and folders that are searched. */
  removing: TREES_AT_ONCE * OPEN_AT_ONCE + 4,
  /** What each running turn holds: the pipes of its process. */
  turn: 3,
  /**
   * What a turn that begins holds besides: its workspace, the folders on the way to a definition of its agent and that, which
   * is more than the folder of its attachments and one of them.
   */
  turnBeginning: 1 + 6 + 1,
  /** The process of the session's turn before, which may still be ending. */
  turnBefore: 3,
  /** What a process that waits for a turn holds: its pipes. */
  idleProcess: 3,
  /** Connections that are refused, and what nobody thought of. */
  margin: 16,
} as const;

/** With fewer connections nobody could watch a turn and cancel it beside what a pool or a browser holds open. */
const LEAST_CONNECTIONS = 16;

/** What the number of processes, and so of descriptors, depends on. */
type Processes = Pick<ServeConfig, "maxConcurrentTurns" | "maxWarmProcesses" | "spareProcesses">;

/** How many descriptors are kept from connections, beside those that are open before anything is started. */
export function reservedDescriptors(config: Processes): number {
  const { store, storeTemporary, threads, listening, spawning, looking, removing, margin } = NEEDED;
  const turns =
    config.maxConcurrentTurns * (NEEDED.turn + NEEDED.turnBeginning + NEEDED.turnBefore);
  const idle = (config.maxWarmProcesses + config.spareProcesses) * NEEDED.idleProcess;
  const fixed = store + storeTemporary + threads + listening + spawning + looking + removing;
  return fixed + margin + turns + idle;
}

/**
 * How many connections are accepted: as many as are asked for, or as the limit of file descriptors leaves beside what turns
 * and the store need. Says in the log which it is. To be called before anything is opened.
 *
 * @throws ConfigError where the limit leaves too few to serve: one line that says what to mend.
 */
export function capConnections(
  config: Processes & Pick<ServeConfig, "maxConnections">,
  log: Log,
): number {
  const { maxConnections: asked } = config;
  const limits = readDescriptorLimits();
  if (limits === undefined) {
    log.info("the limit of file descriptors cannot be told", { connections: asked });
    return asked;
  }
  const reserved = limits.open + reservedDescriptors(config);
  const allowed = limits.soft - reserved;
  const least = Math.min(asked, LEAST_CONNECTIONS);
  if (allowed < least) throw new ConfigError(tooLow(limits.soft, reserved, least, config));
  const connections = Math.min(asked, allowed);
  const facts = { asked, limit: limits.soft, reserved, connections };
  if (connections === asked) log.info("connections are bounded as asked", facts);
  else {
    const raise = `the limit of open files to ${reserved + asked} (${HOW})`;
    log.warn("connections are bounded by the limit of file descriptors", { ...facts, raise });
  }
  return connections;
}

/** Where the limit is set. */
const HOW = "LimitNOFILE= of the unit, --ulimit nofile= of the container, or ulimit -Hn";

function tooLow(limit: number, reserved: number, least: number, config: Processes): string {
  const { maxConcurrentTurns, maxWarmProcesses, spareProcesses } = config;
  const settings = `BREAKGLASS_MAX_CONCURRENT_TURNS (${maxConcurrentTurns}), BREAKGLASS_MAX_WARM_PROCESSES (${maxWarmProcesses}) or BREAKGLASS_SPARE_PROCESSES (${spareProcesses})`;
  return `the limit of file descriptors is ${limit}, but turns and the store need ${reserved} and connections at least ${least}: raise it to ${reserved + least} or more (${HOW}), or lower ${settings}`;
}

/**
 * The limit that is in force, and how many descriptors are open now. Node has raised the soft limit to the hard one at its
 * start (measured on 26). Undefined: this system does not tell.
 */
function readDescriptorLimits(): { soft: number; open: number } | undefined {
  try {
    const limits = readFileSync("/proc/self/limits", "latin1");
    const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
    // The folder itself is open while it is read.
    const open = readdirSync("/proc/self/fd").length - 1;
    return soft === undefined
      ? undefined
      : { soft: Number(soft.replace("unlimited", "Infinity")), open };
  } catch (error) {
    throwExhaustion(error);
    return undefined;
  }
}
