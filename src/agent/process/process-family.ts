import { isPopulated } from "./cgroup.ts";
import type { Family, KnownProcess } from "./process-looks.ts";
import { hasProcessTable, type ProcessEntry, readProcess } from "./process-table.ts";
import type { ProcessWatch } from "./process-watch.ts";

/** What is known of a family when it is started, or left by another server. */
export interface FamilyOrigin {
  /** What marks its processes. */
  readonly processId: string;
  /** The cgroup that it was started in. Undefined: none. */
  readonly cgroup: string | undefined;
  /** The process that was started first, the leader of its own group and session. Undefined: not known. */
  readonly root?: number | undefined;
  /** Whether `root` has not been seen to exit: until then nobody else can have its number. Undefined: not known. */
  readonly rootLives?: () => boolean;
}

/**
 * The processes that one agent started, wherever they moved; see `ProcessLooks` for who belongs. What escapes where there
 * is no cgroup: a process that cleared its environment, began a session of its own and lost its parent, all before
 * anyone looked.
 *
 * Where nobody can be looked for, for want of file descriptors, somebody is taken to live, and a signal still reaches the
 * leader's group, which takes no descriptor.
 */
export class ProcessFamily {
  readonly #origin: FamilyOrigin;
  readonly #watch: ProcessWatch;
  readonly #since: string | undefined;
  #known: readonly KnownProcess[] = [];
  #isSeen = true;

  constructor(origin: FamilyOrigin, watch: ProcessWatch) {
    this.#origin = origin;
    this.#watch = watch;
    const { root } = origin;
    const first = root === undefined ? undefined : firstOf(root);
    if (first !== undefined) this.#known = [[first.pid, first.startTime]];
    this.#since = first?.startTime;
  }

  /** What is known of it, for whoever looks at many families at once. */
  get facts(): Family {
    const { processId, cgroup } = this.#origin;
    return { processId, cgroup, known: this.#known, since: this.#since };
  }

  /** Keeps who was found by such a look: they are known by their ids when nothing else tells whose they are. */
  keep(members: readonly KnownProcess[]): void {
    this.#known = members;
  }

  /** Whether its members could be looked for when they last were. */
  get isSeen(): boolean {
    return this.#isSeen;
  }

  /** The members that live now; where they cannot be looked for, those that the last look found. */
  async members(): Promise<number[]> {
    return this.#look(undefined);
  }

  /** Whether anyone lives, those included who were too quick to be seen. True where nobody can be looked for. */
  async lives(): Promise<boolean> {
    return this.signal(undefined);
  }

  /** Sends a signal to every member and answers whether there was anyone, as `lives`. */
  async signal(signal: NodeJS.Signals | undefined): Promise<boolean> {
    const members = await this.#look(signal);
    return members.length > 0 || this.#isCgroupPopulated() || !this.#isSeen;
  }

  async #look(signal: NodeJS.Signals | undefined): Promise<number[]> {
    const { processId, cgroup, root } = this.#origin;
    if (!hasProcessTable) return root !== undefined && send(-root, signal ?? 0) ? [-root] : [];
    const found = await this.#watch.look({ processId, cgroup, known: this.#known, signal });
    this.#isSeen = found !== undefined;
    if (found !== undefined) this.#known = found;
    else if (signal !== undefined) this.#signalGroup(signal);
    return this.#known.map(([pid]) => pid);
  }

  #signalGroup(signal: NodeJS.Signals): void {
    const { root, rootLives } = this.#origin;
    if (root !== undefined && rootLives?.()) send(-root, signal);
  }

  #isCgroupPopulated(): boolean {
    const { cgroup } = this.#origin;
    try {
      return cgroup !== undefined && isPopulated(cgroup);
    } catch {
      this.#isSeen = false;
      return true;
    }
  }
}

/** Undefined: it has ended, or nobody can be looked for. */
function firstOf(root: number): ProcessEntry | undefined {
  try {
    return hasProcessTable ? readProcess(root) : undefined;
  } catch {
    return undefined;
  }
}

function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    // It ended in between, which is what was wanted.
    return false;
  }
}
