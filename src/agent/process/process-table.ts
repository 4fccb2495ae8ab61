import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { throwExhaustion } from "../../exhaustion.ts";

/** A process of this machine, as Linux tells it (proc_pid_stat(5)). */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** Clock ticks since boot: with the pid it names a process, which the pid alone does not. */
  readonly startTime: string;
}

/** Whether this machine has a table of processes to read; without one only a process group can be ended. */
export const hasProcessTable = process.platform === "linux";

/**
 * Every process of this machine but the ones that have ended and wait to be reaped.
 *
 * @throws Error, as the other readings here, where there is no descriptor left to read with: that proves nothing.
 */
export function listProcesses(): ProcessEntry[] {
  if (!hasProcessTable) return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(readProcess)
    .filter((entry) => entry !== undefined);
}

/** One process; undefined where it has ended. */
export function readProcess(pid: string | number): ProcessEntry | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The command's name may hold anything, parentheses and spaces too.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, parent, , session] = fields;
    if (state === "Z" || state === "X") return undefined;
    return {
      pid: Number(pid),
      parent: Number(parent),
      session: Number(session),
      startTime: fields[19] ?? "",
    };
  } catch (error) {
    throwExhaustion(error);
    // It ended between the listing and the reading.
    return undefined;
  }
}

/** A variable of the environment that a process was started with; undefined where it has none or may not be read. */
export function readEnvironmentVariable(pid: number, name: string): string | undefined {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    return entries.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
  } catch (error) {
    throwExhaustion(error);
    return undefined;
  }
}

/** The sockets that a process has open, by their inodes; undefined where it is gone or may not be looked into. */
export function readSockets(pid: number): Set<number> | undefined {
  const directory = `/proc/${pid}/fd`;
  try {
    const sockets = readdirSync(directory).map((fd) => socketOf(`${directory}/${fd}`));
    return new Set(sockets.filter((inode) => inode !== undefined));
  } catch (error) {
    throwExhaustion(error);
    return undefined;
  }
}

function socketOf(link: string): number | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(link))?.[1];
    return inode === undefined ? undefined : Number(inode);
  } catch (error) {
    throwExhaustion(error);
    // It was closed in between.
    return undefined;
  }
}

/** The users that a process runs as: real, effective, saved, and that of its files. Anyone may read it; empty: it is gone. */
export function readUsers(pid: number): number[] {
  try {
    const [, users = ""] =
      /^Uid:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
    return users.split(/\s+/).map(Number);
  } catch (error) {
    throwExhaustion(error);
    return [];
  }
}

/** The process that was started last (proc_loadavg(5)); undefined where that cannot be told. */
export function newestProcess(): number | undefined {
  try {
    return Number(readFileSync("/proc/loadavg", "latin1").split(" ")[4]);
  } catch (error) {
    throwExhaustion(error);
    return undefined;
  }
}
