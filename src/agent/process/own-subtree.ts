import { mkdirSync, rmdirSync } from "node:fs";
import { basename, join } from "node:path";
import { cgroupProcesses, findMount, killCgroup, subdirectories } from "./cgroup.ts";
import type { KnownProcess } from "./process-looks.ts";
import { listProcesses, readEnvironmentVariable, readProcess } from "./process-table.ts";

/** In a cgroup that a server has to itself: a server that comes after a crash finds that what is in there was an agent's. */
const KEPT = "breakglass.own";
/** What the command `breakglass` gives to all that it starts, the build of its console too. */
const COMMAND_VARIABLE = "BREAKGLASS_COMMAND";
/** A scope is made for processes that come from elsewhere, and a container's cgroup is entered by whoever works in it. */
const ENTERED = /\.scope$|[0-9a-f]{64}/;

/**
 * A part of the hierarchy of cgroups that the server has to itself, as the unit of a service manager. Who is in it and is not
 * the server's own was started by an agent, wherever in it somebody moved it.
 */
export class OwnSubtree {
  readonly directory: string;
  /** What was started with the server, and is to go on while it does. */
  readonly companions: readonly KnownProcess[];
  #isKept = false;

  private constructor(directory: string, companions: readonly KnownProcess[]) {
    this.directory = directory;
    this.companions = companions;
  }

  /**
   * The server's own cgroup, where the server is alone in it; why it is not, where others are or may come to be. To be called
   * before an agent is started.
   *
   * @param directory - The server's own cgroup.
   */
  static find(directory: string): OwnSubtree | string {
    if (process.pid === 1 || directory === findMount()?.point) return "it is the machine's";
    if (ENTERED.test(basename(directory))) return "others may enter it, as by a shell";
    const others = othersIn(directory);
    const wasKept = subdirectories(directory).includes(KEPT);
    const above = ancestors();
    const strangers = others.filter(([pid]) => !isCompanion(pid));
    const operators = strangers.find(([pid]) => !wasKept || above.has(pid));
    if (operators !== undefined) return `others are in it, as the process ${operators[0]}`;
    return new OwnSubtree(directory, wasKept ? [] : others);
  }

  /** An agent is about to be started in it. */
  keep(): void {
    if (this.#isKept) return;
    this.#isKept = true;
    quietly(() => mkdirSync(join(this.directory, KEPT)));
  }

  /** Kills, at once and without waiting, all that is in it but the server and what it was started with. */
  kill(): void {
    const spared = new Set([process.pid, ...this.companions.map(([pid]) => pid)]);
    for (const { pid, parent } of listProcesses()) if (parent === process.pid) spared.add(pid);
    for (const name of subdirectories(this.directory)) {
      const below = join(this.directory, name);
      if (!cgroupProcesses(below).some((pid) => spared.has(pid))) quietly(() => killCgroup(below));
    }
    for (const pid of cgroupProcesses(this.directory)) {
      if (!spared.has(pid)) quietly(() => process.kill(pid, "SIGKILL"));
    }
  }

  /** Nobody is left in it: who is found in it by a server that comes later is whoever they say. */
  leave(): void {
    quietly(() => rmdirSync(join(this.directory, KEPT)));
  }
}

/** Who is in a cgroup and below it, but this process and what agents of a server before have been started in. */
function othersIn(directory: string): KnownProcess[] {
  const agents = subdirectories(directory)
    .filter((name) => name.startsWith("breakglass-"))
    .flatMap((name) => cgroupProcesses(join(directory, name)));
  const left = new Set([process.pid, ...agents]);
  return cgroupProcesses(directory).flatMap((pid): KnownProcess[] => {
    if (left.has(pid)) return [];
    const entry = readProcess(pid);
    // One of another namespace, which has no number here, is somebody all the same.
    if (entry === undefined) return pid === 0 ? [[0, ""]] : [];
    return entry.parent === process.pid ? [] : [[pid, entry.startTime]];
  });
}

/** Whether the command that became the server started it: what did that before the command was there, as a shell, did not. */
function isCompanion(pid: number): boolean {
  const [other, own] = [readProcess(pid), readProcess(process.pid)];
  if (other === undefined || own === undefined) return false;
  if (Number(other.startTime) < Number(own.startTime)) return false;
  return readEnvironmentVariable(pid, COMMAND_VARIABLE) !== undefined;
}

function ancestors(): ReadonlySet<number> {
  const found = new Set<number>();
  let pid = process.ppid;
  while (pid > 0 && !found.has(pid)) {
    found.add(pid);
    pid = readProcess(pid)?.parent ?? 0;
  }
  return found;
}

/** It is gone, or not to be had. */
function quietly(work: () => void): void {
  try {
    work();
  } catch {}
}
