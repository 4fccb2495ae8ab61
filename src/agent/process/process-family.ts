import {
  hasProcessTable,
  listProcesses,
  type ProcessEntry,
  readEnvironmentVariable,
} from "./process-table.ts";

/** The variable that marks every process of a turn. */
export const PROCESS_ID_VARIABLE = "BREAKGLASS_PROCESS_ID";

/**
 * The processes that one or more turns started, wherever they moved.
 *
 * A process belongs to the family if it was started with one of the process ids in its environment, if its parent
 * belongs, if it is in a session that a member is in, or if an earlier look found it to belong. What escapes: a process
 * that cleared its environment, began a session of its own and lost its parent, all before anyone looked.
 */
export class ProcessFamily {
  readonly #processIds: ReadonlySet<string>;
  readonly #known = new Map<number, string>();
  readonly #root: number | undefined;

  /** @param root - The process that was started first, the leader of its own group and session. */
  constructor(processIds: readonly string[], root?: number) {
    this.#processIds = new Set(processIds);
    this.#root = root;
  }

  /** The members that live now. */
  members(): number[] {
    if (!hasProcessTable) return this.#rootGroup();
    const all = listProcesses();
    const others = all.filter((entry) => entry.pid !== process.pid);
    const marked = others.filter((entry) => this.#isMarked(entry));
    const ownSession = all.find((entry) => entry.pid === process.pid)?.session;
    const members = withRelatives(marked, others, ownSession);
    for (const member of members) this.#known.set(member.pid, member.startTime);
    return members.map((member) => member.pid);
  }

  /** Sends a signal to every member and answers how many there were. */
  signal(signal: NodeJS.Signals): number {
    const members = this.members();
    for (const pid of members) send(pid, signal);
    return members.length;
  }

  #isMarked(entry: ProcessEntry): boolean {
    if (this.#known.get(entry.pid) === entry.startTime) return true;
    const id = readEnvironmentVariable(entry.pid, PROCESS_ID_VARIABLE);
    return id !== undefined && this.#processIds.has(id);
  }

  #rootGroup(): number[] {
    return this.#root !== undefined && send(-this.#root, 0) ? [-this.#root] : [];
  }
}

function withRelatives(
  marked: ProcessEntry[],
  all: ProcessEntry[],
  ownSession: number | undefined,
): ProcessEntry[] {
  const members = new Map(marked.map((entry) => [entry.pid, entry]));
  for (let before = -1; before !== members.size; ) {
    before = members.size;
    const sessions = new Set([...members.values()].map((member) => member.session));
    if (ownSession !== undefined) sessions.delete(ownSession);
    for (const entry of all) {
      if (members.has(entry.parent) || sessions.has(entry.session)) members.set(entry.pid, entry);
    }
  }
  return [...members.values()];
}

function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    // It ended in between, which is what was wanted.
    return false;
  }
}
