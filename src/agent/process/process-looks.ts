import { PROCESS_ID_VARIABLE } from "../../config/environment.ts";
import { explainExhaustion } from "../../exhaustion.ts";
import { cgroupProcesses, isPopulated, killCgroup } from "./cgroup.ts";
import {
  listProcesses,
  newestProcess,
  type ProcessEntry,
  readEnvironmentVariable,
  readProcess,
} from "./process-table.ts";

/** A process by what names it for good. */
export type KnownProcess = readonly [pid: number, startTime: string];

/** What is known of a family of processes. */
export interface Family {
  readonly processId: string;
  /** Members of earlier looks. */
  readonly known: readonly KnownProcess[];
  /** The cgroup that the family was started in. Undefined: none. */
  readonly cgroup: string | undefined;
  /** When its first process was started, as `ProcessEntry.startTime`. Undefined: that is not known. */
  readonly since?: string | undefined;
}

/** A cgroup in which everybody is an agent's who is not the server's own (`OwnSubtree`). */
export interface Subtree {
  readonly directory: string;
  /** What was started with the server. */
  readonly companions: readonly KnownProcess[];
}

/** Who is of which family at one moment. */
export interface Roster {
  /** Those of each family. */
  readonly members: readonly (readonly KnownProcess[])[];
  /** Agents' processes of which it cannot be told whose: those in the server's own subtree that are of no family. */
  readonly strays: readonly KnownProcess[];
  /** Everybody else, this process too, by their ids. */
  readonly others: readonly number[];
  /** No process was started while it was read. */
  readonly isStill: boolean;
}

/** A question after strays: those are ended that no family that lives can have started. */
export interface StrayQuestion {
  readonly strayIn: Subtree;
  readonly families: readonly Family[];
}

/** A question after a family: who of it lives now. */
export interface Look extends Family {
  /** Sent to every member, right behind the look. */
  readonly signal: NodeJS.Signals | undefined;
}

/** What came of it. */
export interface LookAnswer {
  /** The members that live. Undefined: nobody could be looked for, and nobody was signaled. */
  readonly members: readonly KnownProcess[] | undefined;
  /** Why nobody could be looked for, in words. */
  readonly failure?: string;
}

interface Mark {
  readonly startTime: string;
  /** Undefined: the process has none. */
  readonly mark: string | undefined;
}

/** Whether nobody is there is only believed after so many looks while processes are being started. */
const EMPTY_LOOKS = 5;
/** How many of those that were started during a look are read behind it; each takes some 30 µs. */
const NEWBORN = 100;

/**
 * Looks at the process table, for many families at a time: one reading serves them all.
 *
 * A process belongs to a family if it is in its cgroup, if it was started with the family's process id in its
 * environment, if its parent belongs, if it is in a session that a member is in, or if an earlier look found it.
 */
export class ProcessLooks {
  /**
   * The marks that were read. Only those that are there: between fork and exec a process has its parent's environment,
   * and an agent that was looked at just then would never be found again.
   */
  #marks = new Map<number, Mark>();

  /** Takes looks: all of them or, where the process table cannot be read, none. */
  take(looks: readonly Look[]): LookAnswer[] {
    try {
      return this.answer(looks).map((members) => ({ members }));
    } catch (error) {
      const failure = explainExhaustion(error) ?? String(error);
      return looks.map(() => ({ members: undefined, failure }));
    }
  }

  /**
   * The members of each family, in the order of the questions. Signals only once everything is read.
   *
   * @throws Error where the process table cannot be read.
   */
  answer(looks: readonly Look[]): KnownProcess[][] {
    let table = this.#read();
    const answers = looks.map((look) => table.membersOf(look));
    // A chain of short lives can slip through between the listing and the reading: each ends before it is read, and its
    // child was not listed. Unless nothing was started meanwhile, one look without a member proves nothing.
    for (let seen = 1; seen < EMPTY_LOOKS && !table.isStill; seen++) {
      if (answers.every((members) => members.length > 0)) break;
      table = this.#read();
      for (const [index, look] of looks.entries()) {
        if (answers[index]!.length === 0) answers[index] = table.membersOf(look);
      }
    }
    for (const [index, look] of looks.entries()) signalAll(look, answers[index]!);
    return answers.map(knownOf);
  }

  /**
   * Who is of any family, by one reading.
   *
   * @throws Error where the process table cannot be read.
   */
  roster(families: readonly Family[], subtree?: Subtree): Roster {
    const table = this.#read();
    const members = families.map((family) => table.membersOf(family));
    const strays = subtree === undefined ? [] : table.straysIn(subtree, members.flat());
    return {
      members: members.map(knownOf),
      strays: knownOf(strays),
      others: table.othersThan([...members.flat(), ...strays]),
      isStill: table.isStill,
    };
  }

  /**
   * Kills the strays that no family can have started that lives: one that was started before each of their first processes.
   * Answers who they were.
   *
   * @throws Error where the process table cannot be read.
   */
  killStrays({ strayIn, families }: StrayQuestion): KnownProcess[] {
    const table = this.#read();
    const companions = table.membersOf({
      processId: "",
      cgroup: undefined,
      known: strayIn.companions,
    });
    const members = families.flatMap((family) => table.membersOf(family));
    const strays = table
      .straysIn(strayIn, [...members, ...companions])
      .filter(({ startTime }) =>
        families.every(({ since = "0" }) => Number(startTime) < Number(since)),
      );
    for (const { pid } of strays) quietly(() => process.kill(pid, "SIGKILL"));
    return knownOf(strays);
  }

  #read(): ProcessTable {
    const entries = listProcesses();
    const marks = new Map<number, Mark>();
    for (const entry of entries) marks.set(entry.pid, this.#markOf(entry));
    const isStill = this.#readNewborn(entries, marks);
    this.#marks = marks;
    return new ProcessTable(entries, (pid) => marks.get(pid)?.mark, isStill);
  }

  /** Adds those who were started since the listing, the newest at each moment. Answers whether there were none. */
  #readNewborn(entries: ProcessEntry[], marks: Map<number, Mark>): boolean {
    for (let read = 0; read < NEWBORN; read++) {
      const newest = newestProcess();
      if (newest === undefined || marks.has(newest)) return read === 0;
      const entry = readProcess(newest);
      // It has ended already, or is a thread; what it started, if anything, is newer.
      if (entry === undefined) continue;
      entries.push(entry);
      marks.set(newest, this.#markOf(entry));
    }
    return false;
  }

  #markOf({ pid, startTime }: ProcessEntry): Mark {
    const read = this.#marks.get(pid);
    if (read?.startTime === startTime && read.mark !== undefined) return read;
    return { startTime, mark: readEnvironmentVariable(pid, PROCESS_ID_VARIABLE) };
  }
}

/** One reading of the process table, indexed. */
class ProcessTable {
  /** No process was started while it was read. */
  readonly isStill: boolean;
  readonly #byPid = new Map<number, ProcessEntry>();
  readonly #byMark: Map<string | undefined, ProcessEntry[]>;
  readonly #byParent: Map<number, ProcessEntry[]>;
  readonly #bySession: Map<number, ProcessEntry[]>;
  readonly #ownSession: number | undefined;

  constructor(
    entries: readonly ProcessEntry[],
    markOf: (pid: number) => string | undefined,
    isStill: boolean,
  ) {
    this.isStill = isStill;
    this.#ownSession = entries.find(({ pid }) => pid === process.pid)?.session;
    const others = entries.filter(({ pid }) => pid !== process.pid);
    for (const entry of others) this.#byPid.set(entry.pid, entry);
    this.#byMark = Map.groupBy(others, ({ pid }) => markOf(pid));
    this.#byParent = Map.groupBy(others, ({ parent }) => parent);
    this.#bySession = Map.groupBy(others, ({ session }) => session);
  }

  othersThan(members: readonly ProcessEntry[]): number[] {
    const pids = new Set(members.map(({ pid }) => pid));
    return [process.pid, ...this.#byPid.keys().filter((pid) => !pids.has(pid))];
  }

  /** Who is in a subtree, but this process, what it started itself, and members of families. */
  straysIn({ directory }: Subtree, members: readonly ProcessEntry[]): ProcessEntry[] {
    const spared = new Set(members.map(({ pid }) => pid));
    const own = new Set([process.pid]);
    for (const pid of own) {
      for (const child of this.#byParent.get(pid) ?? []) {
        if (!spared.has(child.pid)) own.add(child.pid);
      }
    }
    return cgroupProcesses(directory).flatMap((pid) => {
      if (own.has(pid) || spared.has(pid)) return [];
      const entry = this.#byPid.get(pid) ?? readProcess(pid);
      return entry === undefined || own.has(entry.parent) ? [] : [entry];
    });
  }

  membersOf({ processId, known, cgroup }: Family): ProcessEntry[] {
    const members = new Set<ProcessEntry>(this.#byMark.get(processId));
    for (const [pid, startTime] of known) {
      const entry = this.#byPid.get(pid);
      if (entry?.startTime === startTime) members.add(entry);
    }
    if (cgroup !== undefined && isPopulated(cgroup)) {
      for (const pid of cgroupProcesses(cgroup)) {
        // It may have been started after the table was read.
        const entry = this.#byPid.get(pid) ?? readProcess(pid);
        if (entry !== undefined && pid !== process.pid) members.add(entry);
      }
    }
    // A set is iterated to its end, what is added meanwhile too.
    for (const { pid, session } of members) {
      for (const child of this.#byParent.get(pid) ?? []) members.add(child);
      if (session === this.#ownSession) continue;
      for (const peer of this.#bySession.get(session) ?? []) members.add(peer);
    }
    return [...members];
  }
}

function knownOf(entries: readonly ProcessEntry[]): KnownProcess[] {
  return entries.map(({ pid, startTime }) => [pid, startTime] as const);
}

function signalAll({ signal, cgroup }: Look, members: readonly ProcessEntry[]): void {
  if (signal === undefined) return;
  if (signal === "SIGKILL" && cgroup !== undefined) quietly(() => killCgroup(cgroup));
  for (const { pid } of members) quietly(() => process.kill(pid, signal));
}

/** What it was for has ended in between, which is what was wanted. */
function quietly(work: () => void): void {
  try {
    work();
  } catch {}
}
