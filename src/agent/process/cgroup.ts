import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { throwExhaustion } from "../../exhaustion.ts";

/** An empty cgroup that was made so long ago waits for no agent any more. */
const STALE_MS = 10 * 60_000;
/** What the cgroup of an agent is called, before its process id. */
const PREFIX = "breakglass-";
/**
 * Takes the umask, enters the group, then becomes the program, without what a shell adds to the environment. Where it cannot
 * enter, the program runs all the same: a repair comes first.
 */
const LAUNCH =
  '[ -z "$1" ] || umask "$1"; [ -z "$2" ] || { echo 0 >"$2/cgroup.procs"; } 2>/dev/null; shift 2; unset PWD OLDPWD SHLVL; exec "$@"';

/**
 * Where cgroups of agents are made: below the server's own, in the hierarchy of version 2.
 *
 * A process cannot shed its cgroup by forking, by a session of its own or by clearing its environment. A PID namespace
 * would hold it as well, but an agent that repairs the machine must see and signal the machine's processes.
 */
export class CgroupRoot {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /**
   * Tries it out with a process; answers why not, where it does not work here. Takes a few milliseconds.
   *
   * @param directory - Where the cgroups are to be made. Unset: below the server's own.
   */
  static find(directory?: string): CgroupRoot | string {
    if (process.platform !== "linux") return "only Linux has cgroups";
    try {
      const root = new CgroupRoot(directory ?? ownDirectory());
      root.#try();
      return root;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** The directory of an agent's cgroup. */
  directoryOf(processId: string): string {
    return join(this.directory, PREFIX + processId);
  }

  /** Makes an agent's cgroup. Throws where that fails. */
  create(processId: string): string {
    const directory = this.directoryOf(processId);
    mkdirSync(directory);
    return directory;
  }

  /**
   * Removes what servers that were killed, and never started again, have left here: cgroups that have been there for a
   * while and are empty. Never rejects.
   */
  async sweep(olderThanMs = STALE_MS): Promise<void> {
    const names = listBelow(this.directory).filter((name) => name.startsWith(PREFIX));
    for (const name of names) {
      const directory = join(this.directory, name);
      try {
        const { birthtimeMs, mtimeMs } = await stat(directory);
        const since = Math.max(birthtimeMs, mtimeMs);
        // The kernel keeps those that a process is in.
        if (Date.now() - since >= olderThanMs) await rmdir(directory);
      } catch {
        // In use, or gone.
      }
    }
  }

  #try(): void {
    const id = `probe-${randomUUID()}`;
    const directory = this.create(id);
    try {
      const [command, ...args] = launch({ cgroup: directory }, "sh", [
        "-c",
        "cat /proc/self/cgroup",
      ]);
      const { stdout, error } = spawnSync(command, args, { encoding: "utf8", timeout: 2000 });
      if (error !== undefined) throw error;
      if (!stdout.includes(PREFIX + id)) {
        throw new Error(`${this.directory} takes no process`);
      }
      // Nobody is in it any more; this only tells whether the kernel (5.14) has the file.
      killCgroup(directory);
    } finally {
      rmdirSync(directory);
    }
  }
}

/** What a program begins its life with, that no process can be given from outside. */
export interface LaunchPlan {
  /** The directory of its cgroup: it can fork nothing outside. Undefined: the server's own. */
  readonly cgroup?: string | undefined;
  /** What its files are made without. Undefined: the server's own. */
  readonly umask?: number | undefined;
  /** Whom it runs as, with that user's groups. Undefined: the server's own user. */
  readonly user?: LaunchUser | undefined;
}

/** A user, and what becomes one. */
export interface LaunchUser {
  readonly uid: number;
  readonly gid: number;
  /** The path of util-linux's `setpriv`. */
  readonly setpriv: string;
}

/** The command line of a program that begins its life as planned. */
export function launch(
  { cgroup, umask, user }: LaunchPlan,
  command: string,
  args: readonly string[],
): [string, ...string[]] {
  if (user !== undefined) {
    // The cgroup is the server's to enter. What fails after that is told by a shell of the user's, as it would be without one.
    const [shell, ...rest] = shellLaunch("", umask, command, args);
    return shellLaunch(cgroup ?? "", undefined, user.setpriv, [...becoming(user), shell, ...rest]);
  }
  if (cgroup === undefined && umask === undefined) return [command, ...args];
  return shellLaunch(cgroup ?? "", umask, command, args);
}

function shellLaunch(
  cgroup: string,
  umask: number | undefined,
  command: string,
  args: readonly string[],
): [string, ...string[]] {
  const mask = umask === undefined ? "" : umask.toString(8);
  return ["/bin/sh", "-c", LAUNCH, LAUNCHER, mask, cgroup, command, ...args];
}

/** Nothing of what the server may is left. */
function becoming({ uid, gid }: LaunchUser): string[] {
  const none = ["--inh-caps=-all", "--ambient-caps=-all"];
  return [`--reuid=${uid}`, `--regid=${gid}`, "--init-groups", ...none, "--"];
}

/** What the shell that launches a program calls itself when it complains. */
export const LAUNCHER = "breakglass-launcher";

/**
 * The cgroups of agents, by process id, wherever servers on this machine have made them.
 *
 * @throws Error, as the other readings here, where there is no descriptor left to read with: that proves nothing.
 */
export function findCgroups(): Map<string, string> {
  const found = new Map<string, string>();
  const walk = (directory: string) => {
    for (const name of subdirectories(directory)) {
      const path = join(directory, name);
      if (name.startsWith(PREFIX)) found.set(name.slice(PREFIX.length), path);
      else walk(path);
    }
  };
  const mount = findMount();
  if (mount !== undefined) walk(mount.point);
  return found;
}

/** Whether a process is in a cgroup or below it; false where it is gone. */
export function isPopulated(directory: string): boolean {
  return readText(join(directory, "cgroup.events")).includes("populated 1");
}

/** The processes in a cgroup and below it. */
export function cgroupProcesses(directory: string): number[] {
  const own = readText(join(directory, "cgroup.procs")).split("\n").filter(Boolean).map(Number);
  const below = subdirectories(directory).map((name) => cgroupProcesses(join(directory, name)));
  return [...own, ...below.flat()];
}

/** Kills everything in a cgroup and below it, what is being forked too. */
export function killCgroup(directory: string): void {
  writeFileSync(join(directory, "cgroup.kill"), "1");
}

/** How long the removal of an agent's cgroups waits, all together, for those that are not empty yet. */
const REMOVAL_MS = 1000;

/**
 * Removes a cgroup that is empty, and those that were made below it: an agent may have made thousands, so that none is
 * removed on the main thread. One with none below it is removed without a file descriptor.
 */
export async function removeCgroup(
  directory: string,
  deadline = performance.now() + REMOVAL_MS,
): Promise<void> {
  while (!(await removeEmpty(directory))) {
    for (const name of listBelow(directory)) await removeCgroup(join(directory, name), deadline);
    if (await removeEmpty(directory)) return;
    if (performance.now() >= deadline) return;
    await delay(20);
  }
}

/** Answers false where it may be empty soon: a process that was killed leaves it a moment after it has left the table. */
async function removeEmpty(directory: string): Promise<boolean> {
  try {
    await rmdir(directory);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "EBUSY";
  }
}

/** Empty too where there is no descriptor left to look with. */
function listBelow(directory: string): string[] {
  try {
    return subdirectories(directory);
  } catch {
    return [];
  }
}

/** The directory of the server's own cgroup. Throws where there is no hierarchy of version 2. */
function ownDirectory(): string {
  const own = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1];
  const mount = findMount();
  if (own === undefined || mount === undefined) throw new Error("no cgroup hierarchy of version 2");
  // In a container the mount can begin at the container's own cgroup.
  const below =
    mount.root !== "/" && own.startsWith(mount.root) ? own.slice(mount.root.length) : own;
  return join(mount.point, below);
}

/** Which part of the hierarchy is mounted, and where (proc_pid_mountinfo(5)). */
export function findMount(): { readonly root: string; readonly point: string } | undefined {
  const lines = readText("/proc/self/mountinfo").split("\n");
  const [, , , root, point] = lines.find((line) => line.includes(" - cgroup2 "))?.split(" ") ?? [];
  if (root === undefined || point === undefined) return undefined;
  const decodeOctal = (path: string) =>
    path.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
  return { root: decodeOctal(root), point: decodeOctal(point) };
}

/** The cgroups right below one, by their names. */
export function subdirectories(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    throwExhaustion(error);
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    throwExhaustion(error);
    return "";
  }
}
