import { isPopulated } from "./cgroup.ts";
import type { KnownProcess } from "./process-looks.ts";
import { hasProcessTable } from "./process-table.ts";
import type { ProcessWatch } from "./process-watch.ts";

/** What is known of a family when it is started, or left by another server. */
export interface FamilyOrigin {
  /** What marks its processes. */
  readonly processId: string;
  /** The cgroup that it was started in. Undefined: none. */
  readonly cgroup: string | undefined;
  /** The process that was started first, the leader of its own group and session. Undefined: not known. */
  readonly root?: number | undefined;
}

/**
 * The processes that one turn started, wherever they moved; see `ProcessLooks` for who belongs. What escapes where there
 * is no cgroup: a process that cleared its environment, began a session of its own and lost its parent, all before
 * anyone looked.
 */
export class ProcessFamily {
  readonly #origin: FamilyOrigin;
  readonly #watch: ProcessWatch;
  #known: readonly KnownProcess[] = [];

  constructor(origin: FamilyOrigin, watch: ProcessWatch) {
    this.#origin = origin;
    this.#watch = watch;
  }

  /** The members that live now. */
  async members(): Promise<number[]> {
    return this.#look(undefined);
  }

  /** Whether anyone lives, those included who were too quick to be seen. */
  async lives(): Promise<boolean> {
    return this.signal(undefined);
  }

  /** Sends a signal to every member and answers whether there was anyone. */
  async signal(signal: NodeJS.Signals | undefined): Promise<boolean> {
    const members = await this.#look(signal);
    const { cgroup } = this.#origin;
    return members.length > 0 || (cgroup !== undefined && isPopulated(cgroup));
  }

  async #look(signal: NodeJS.Signals | undefined): Promise<number[]> {
    const { processId, cgroup, root } = this.#origin;
    if (!hasProcessTable) return root !== undefined && send(-root, signal ?? 0) ? [-root] : [];
    this.#known = await this.#watch.look({ processId, cgroup, known: this.#known, signal });
    return this.#known.map(([pid]) => pid);
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
