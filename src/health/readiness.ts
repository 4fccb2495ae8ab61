import type { Agents } from "../agent/agents.ts";
import type { AgentInspection } from "../agent/inspection.ts";
import type { HeadDelivery } from "../audit/head-publisher.ts";
import type { Obstacle } from "../obstacle.ts";
import type { Serving } from "../turns/serving.ts";
import { type DiskLook, type KeptRoom, lookAtDisk } from "./disk-room.ts";
import { keptLook } from "./kept-look.ts";

/** What has to be well for a turn to be run; of the audit's heads it is only told. */
export const CHECK_NAMES = [
  "serving",
  "store",
  "disk",
  "agent",
  "credentials",
  "audit_heads",
] as const;
export type CheckName = (typeof CHECK_NAMES)[number];

/** How it stands with one of them. */
export interface ReadinessCheck {
  readonly name: CheckName;
  /** What is in the way of turns. Undefined: nothing. */
  readonly obstacle?: Obstacle | undefined;
  /** What is not well, and in the way of no turn. Undefined: nothing. */
  readonly warning?: Obstacle | undefined;
}

/** What is looked at. */
export interface ReadinessSources {
  readonly serving: Serving;
  readonly agents: Agents;
  /** Where the store and the workspaces are. */
  readonly directories: readonly string[];
  /** What is kept on the disk for when it is full. */
  readonly kept: KeptRoom;
  /** How it stands with the audit's heads. */
  readonly heads: () => readonly HeadDelivery[];
}

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
  readonly #disk: (withinMs: number) => Promise<DiskLook | undefined>;
  readonly #heads: ReadinessSources["heads"];

  constructor({ serving, agents, directories, kept, heads }: ReadinessSources) {
    this.#serving = serving;
    this.#heads = heads;
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
      () => lookAtDisk(directories, kept),
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
      { name: "disk", ...(disk ?? { obstacle: SLOW_DISK }) },
      { name: "agent", obstacle: agent === undefined ? NOT_YET_SEEN : agent.broken },
      { name: "credentials", obstacle: agent?.unauthenticated },
      { name: "audit_heads", warning: undelivered(this.#heads()) },
    ];
  }
}

/** What is not delivered of the audit's heads. Undefined: nothing. */
function undelivered(deliveries: readonly HeadDelivery[]): Obstacle | undefined {
  const lacking = deliveries.filter(({ why }) => why !== undefined);
  if (lacking.length === 0) return undefined;
  const told = lacking.map(({ name, why }) => `${name}: ${why}`).join("; ");
  return {
    why: `the audit's heads are not taken by ${told}`,
    mend: "look whether BREAKGLASS_AUDIT_HEADS_… name what is there; until then what is recorded can be cut off without a trace",
  };
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
