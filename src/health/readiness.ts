import { statfs } from "node:fs/promises";
import type { Agents } from "../agent/agents.ts";
import type { AgentInspection } from "../agent/inspection.ts";
import type { Obstacle } from "../obstacle.ts";
import type { Serving } from "../turns/serving.ts";
import { keptLook } from "./kept-look.ts";

/** What has to be well for a turn to be run. */
export const CHECK_NAMES = ["serving", "store", "disk", "agent", "credentials"] as const;
export type CheckName = (typeof CHECK_NAMES)[number];

/** How it stands with one of them. */
export interface ReadinessCheck {
  readonly name: CheckName;
  /** What is in the way of turns. Undefined: nothing. */
  readonly obstacle: Obstacle | undefined;
}

/** What is looked at. */
export interface ReadinessSources {
  readonly serving: Serving;
  readonly agents: Agents;
  /** Where the store and the workspaces are. */
  readonly directories: readonly string[];
}

const MIB = 1024 * 1024;
/** With less a turn's first events may find no room. */
const LEAST_FREE_BYTES = 64 * MIB;
/** Some file systems count no files, and say that there are none. */
const LEAST_FREE_FILES = 200;
/** A probe commonly gives up after a second. */
const PROBED_MS = 900;
/** The agent's program is started for it. */
const AGENT_AGES = { wellMs: 60_000, illMs: 10_000 };
const DISK_AGES = { wellMs: 2000, illMs: 2000 };

/**
 * Tells whether a server can run a turn, and what is in the way. Costs nothing to speak of, however often it is asked: each
 * look is made once for all who ask while its answer is fresh. Whoever asks is answered within a second or, where the store hangs,
 * six.
 */
export class Readiness {
  readonly #serving: Serving;
  readonly #defaultKind: string;
  readonly #agents: ReadonlyMap<string, (withinMs: number) => Promise<AgentInspection | undefined>>;
  readonly #disk: (withinMs: number) => Promise<{ readonly obstacle?: Obstacle } | undefined>;

  constructor({ serving, agents, directories }: ReadinessSources) {
    this.#serving = serving;
    this.#defaultKind = agents.defaultKind;
    const isWell = ({ broken, unauthenticated }: AgentInspection) =>
      broken === undefined && unauthenticated === undefined;
    this.#agents = new Map(
      agents.kinds.map((kind) => {
        const agent = agents.of(kind);
        return [kind, keptLook(() => agent.inspect(), isWell, AGENT_AGES)];
      }),
    );
    this.#disk = keptLook(
      () => lookAtDisk(directories),
      () => true,
      DISK_AGES,
    );
  }

  /** What is known of an agent's program. Undefined: the look takes longer than `withinMs`, or there is no such agent. */
  async inspectAgent(kind: string, withinMs: number): Promise<AgentInspection | undefined> {
    return this.#agents.get(kind)?.(withinMs);
  }

  /** How it stands now, in an order that does not change. */
  async checks(): Promise<ReadinessCheck[]> {
    const [takesWrites, disk, agent] = await Promise.all([
      this.#serving.takesWrites(),
      this.#disk(PROBED_MS),
      this.inspectAgent(this.#defaultKind, PROBED_MS),
    ]);
    return [
      { name: "serving", obstacle: this.#serving.isDraining ? DRAINING : undefined },
      { name: "store", obstacle: takesWrites ? undefined : NO_WRITES },
      { name: "disk", obstacle: disk === undefined ? SLOW_DISK : disk.obstacle },
      { name: "agent", obstacle: agent === undefined ? NOT_YET_SEEN : agent.broken },
      { name: "credentials", obstacle: agent?.unauthenticated },
    ];
  }
}

async function lookAtDisk(directories: readonly string[]): Promise<{ obstacle?: Obstacle }> {
  for (const directory of directories) {
    const obstacle = await lackOfRoom(directory);
    if (obstacle !== undefined) return { obstacle };
  }
  return {};
}

/** What is in the way of writing below a directory. Undefined: nothing. Never rejects. */
export async function lackOfRoom(directory: string): Promise<Obstacle | undefined> {
  try {
    const { bavail, bsize, files, ffree } = await statfs(directory);
    const free = bavail * bsize;
    if (free < LEAST_FREE_BYTES) {
      const why = `${directory} has room for ${Math.floor(free / MIB)} MiB more`;
      return { why, mend: `make room for ${LEAST_FREE_BYTES / MIB} MiB at least` };
    }
    if (files > 0 && ffree < LEAST_FREE_FILES) {
      return { why: `${directory} has room for ${ffree} more files`, mend: "remove files there" };
    }
    return undefined;
  } catch (error) {
    const why = `${directory} cannot be looked at: ${(error as NodeJS.ErrnoException).code}`;
    return { why, mend: "make it readable for the server's user" };
  }
}

const DRAINING: Obstacle = {
  why: "the server takes no new turns: it is draining",
  mend: "wait for its next start, or use another server",
};
const NO_WRITES: Obstacle = {
  why: "the store takes no writes",
  mend: "look at the server's log, and at the disk of BREAKGLASS_DATA_DIR",
};
const SLOW_DISK: Obstacle = {
  why: "the disk does not say how much room there is",
  mend: "look whether the file system of BREAKGLASS_DATA_DIR hangs",
};
const NOT_YET_SEEN: Obstacle = {
  why: "the agent's program was started, and has not said its version yet",
  mend: "ask again in some seconds",
};
