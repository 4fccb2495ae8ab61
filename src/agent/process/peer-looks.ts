import { explainExhaustion } from "../../exhaustion.ts";
import { cgroupProcesses } from "./cgroup.ts";
import type { Family, KnownProcess, ProcessLooks, Roster, Subtree } from "./process-looks.ts";
import { newestProcess, readSockets, readUsers } from "./process-table.ts";
import { readTcpOwners, type SocketOwner, type TcpEnds } from "./tcp-owners.ts";

/** The client's end of a connection: its ends where it is TCP, or the process that connected a socket in the file system. */
export type PeerEnd = TcpEnds | { readonly pid: number; readonly uid: number };

/** A question after those at the other ends of connections. */
export interface PeerQuestion {
  readonly ends: readonly PeerEnd[];
  /** The agents' families, of which any process may be the one. */
  readonly families: readonly Family[];
  /** Where everybody is an agent's who is not the server's own. Undefined: nowhere. */
  readonly subtree?: Subtree | undefined;
}

/** Who is at an end: an agent's process, somebody else's, somebody who cannot be told, or nobody of this machine. */
export interface PeerFound {
  readonly holder: "agent" | "other" | "unknown" | "absent";
  /** Whose the connection is. Undefined: unknown. */
  readonly uid?: number | undefined;
  /** Which family it is that an agent's process is of. Undefined: that cannot be told. */
  readonly processId?: string | undefined;
}

/** What came of it. */
export interface PeerAnswer {
  /** In the order of the ends. Undefined: nobody could be looked for. */
  readonly found: readonly PeerFound[] | undefined;
  /** The members of each family, as they were found. */
  readonly members: readonly (readonly KnownProcess[])[];
  /** Why nobody could be looked for, in words. */
  readonly failure?: string;
}

/** So often the agents' processes are looked through while others are being started. */
const LOOKS = 3;
const UNKNOWN: PeerFound = { holder: "unknown" };
const ABSENT: PeerFound = { holder: "absent" };

/**
 * Looks for who is at the other ends of connections, for many at a time.
 *
 * 1. A connection is an agent's if a process of an agent's family holds its socket, or made it, or one that is no family's in
 *    a cgroup that the server has to itself.
 * 2. It is somebody else's only where that is certain: no process was started while the agents' were looked through and all of
 *    them could be, or a process that holds it was found and is of no family.
 * 3. A socket that no process holds any more is nobody's who can be told.
 */
export class PeerLooks {
  readonly #looks: ProcessLooks;

  constructor(looks: ProcessLooks) {
    this.#looks = looks;
  }

  /** Never throws. */
  answer(question: PeerQuestion): PeerAnswer {
    const { ends, families, subtree } = question;
    try {
      const owners = ownersOf(ends);
      const isAbsent = ends.every((end) => !("pid" in end) && owners.get(end)?.length === 0);
      if (isAbsent || (families.length === 0 && isEmpty(subtree))) {
        return { found: ends.map(alone(owners)), members: [] };
      }
      return this.#among(question, owners);
    } catch (error) {
      const failure = explainExhaustion(error) ?? String(error);
      return { found: undefined, members: [], failure };
    }
  }

  #among(question: PeerQuestion, owners: Map<PeerEnd, readonly SocketOwner[]>): PeerAnswer {
    const { ends, families, subtree } = question;
    const agents = new AgentSockets();
    let roster = this.#looks.roster(families, subtree);
    for (let look = 1; ; look++) {
      const newest = newestProcess();
      agents.read(roster);
      // A process may hand its socket to a child and end before it is looked into.
      agents.isComplete = roster.isStill && newestProcess() === newest;
      if (agents.isComplete || look === LOOKS) break;
      roster = this.#looks.roster(families, subtree);
    }
    const doubtful = ends.flatMap((end) => owners.get(end) ?? []).filter((it) => agents.doubts(it));
    const cleared = this.#cleared(doubtful, roster, question);
    const found = ends.map((end) => {
      if ("pid" in end) return foundOf(end, roster, families);
      const sockets = owners.get(end) ?? [];
      const holder = sockets
        .map(({ inode }) => agents.holderOf(inode))
        .find((pid) => pid !== undefined);
      if (holder !== undefined) return agentFound(holder, roster, families); // 1.
      const isDoubtful = sockets.some((it) => agents.doubts(it) && !cleared.has(it.inode));
      return isDoubtful ? UNKNOWN : alone(owners)(end); // 2.
    });
    return { found, members: roster.members };
  }

  /** 2. Of sockets that an agent might hold, those that a process of nobody's family holds. */
  #cleared(
    sockets: readonly SocketOwner[],
    { others }: Roster,
    { families, subtree }: PeerQuestion,
  ): ReadonlySet<number> {
    const wanted = new Set(sockets.map(({ inode }) => inode));
    const holders = new Map<number, number>();
    for (const pid of wanted.size > 0 ? others : []) {
      for (const inode of readSockets(pid) ?? []) if (wanted.has(inode)) holders.set(inode, pid);
      if (holders.size === wanted.size) break;
    }
    if (holders.size === 0) return new Set();
    // A child of an agent's that was born behind the last roster is among the others of that one.
    const now = new Set(this.#looks.roster(families, subtree).others);
    return new Set([...holders].filter(([, pid]) => now.has(pid)).map(([inode]) => inode));
  }
}

/** The sockets of agents' processes. */
class AgentSockets {
  /** The process that holds each. */
  readonly #holders = new Map<number, number>();
  /** Whose they are. */
  readonly #users = new Set<number>();
  /** The users of those that could not be looked into, as one that cannot be dumped. */
  readonly #hiddenUsers = new Set<number>();
  /** Whether no other process can have had one of them meanwhile. */
  isComplete = false;

  read(roster: Roster): void {
    this.#hiddenUsers.clear();
    for (const [pid] of agentsOf(roster)) {
      const sockets = readSockets(pid);
      for (const uid of readUsers(pid)) {
        this.#users.add(uid);
        if (sockets === undefined) this.#hiddenUsers.add(uid);
      }
      for (const inode of sockets ?? []) this.#holders.set(inode, pid);
    }
  }

  /** The process of an agent's that has a socket. Undefined: none was seen to. */
  holderOf(inode: number): number | undefined {
    return this.#holders.get(inode);
  }

  /** Whether an agent may hold a socket, though none was seen to. */
  doubts({ uid, inode }: SocketOwner): boolean {
    if (inode === 0 || this.#holders.has(inode)) return false;
    return this.#hiddenUsers.has(uid) || (!this.isComplete && this.#canBe(uid));
  }

  /** Whether a process that was not seen may be that user's: it is one of those that were seen, unless one of them is root. */
  #canBe(uid: number): boolean {
    return this.#users.size === 0 || this.#users.has(0) || this.#users.has(uid);
  }
}

function agentFound(pid: number, { members }: Roster, families: readonly Family[]): PeerFound {
  const index = members.findIndex((known) => known.some(([member]) => member === pid));
  return { holder: "agent", processId: families[index]?.processId };
}

function agentsOf({ members, strays }: Roster): readonly KnownProcess[] {
  return [...members.flat(), ...strays];
}

/** Whether the server is alone in its subtree, as mostly where no agent runs. Also where there is none. */
function isEmpty(subtree: Subtree | undefined): boolean {
  if (subtree === undefined) return true;
  return cgroupProcesses(subtree.directory).every((pid) => pid === process.pid);
}

function ownersOf(ends: readonly PeerEnd[]): Map<PeerEnd, readonly SocketOwner[]> {
  const connections = ends.filter((end): end is TcpEnds => !("pid" in end));
  const owners = readTcpOwners(connections);
  return new Map(connections.map((end, index) => [end, owners[index]!]));
}

/** Who is at an end where no agent is. */
function alone(owners: Map<PeerEnd, readonly SocketOwner[]>): (end: PeerEnd) => PeerFound {
  return (end) => {
    if ("pid" in end) return { holder: "other", uid: end.uid };
    const sockets = owners.get(end) ?? [];
    const [first] = sockets;
    if (first === undefined) return ABSENT;
    const isOne = sockets.every(({ uid }) => uid === first.uid);
    if (!isOne || sockets.some(({ inode }) => inode === 0)) return UNKNOWN; // 3.
    return { holder: "other", uid: first.uid };
  };
}

/** Who connected may have ended since, and left what it connected to a child. */
function foundOf(
  { pid, uid }: { pid: number; uid: number },
  roster: Roster,
  families: readonly Family[],
): PeerFound {
  if (agentsOf(roster).some(([agent]) => agent === pid)) return agentFound(pid, roster, families);
  return roster.others.includes(pid) ? { holder: "other", uid } : UNKNOWN;
}
