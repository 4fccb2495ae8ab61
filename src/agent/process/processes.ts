import type { Log } from "../../log.ts";
import { OutputScheduler } from "../output-scheduler.ts";
import type { ProcessSurroundings } from "./agent-process.ts";
import type { AgentUser } from "./agent-user.ts";
import { removeCgroup } from "./cgroup.ts";
import { type Containment, findContainment } from "./containment.ts";
import { ProcessFamilies } from "./process-families.ts";
import type { ProcessRegistry } from "./process-registry.ts";
import { STOP_RUNGS, type StopRungs, stopFamily } from "./stop-ladder.ts";

/** What the processes of a server's agents are started with, whichever agent's they are. */
export interface ProcessOptions {
  /** Where it is recorded which processes may live. */
  readonly registry: ProcessRegistry;
  readonly log: Log;
  /** The longest line that is read. */
  readonly maxLineBytes: number;
  /** What the agents' files are made without: what the operator's are. Undefined: the server's own. */
  readonly umask?: number | undefined;
  /** Whom the agents run as. Undefined: the server's own user. */
  readonly user?: AgentUser | undefined;
  /** How long each rung of the stop ladder waits. */
  readonly rungs?: StopRungs;
  /** False: processes get no cgroup of their own, also where the machine offers one. */
  readonly cgroups?: boolean;
  /** How what they start is held together. Undefined: as is found now. */
  readonly containment?: Containment;
}

/** Made once for all agents of a server: they share the machine. */
export function createProcesses(options: ProcessOptions): ProcessSurroundings {
  const { containment = findContainment(options.user, options.cgroups) } = options;
  const families = new ProcessFamilies(options.log, containment);
  return { ...options, families, scheduler: new OutputScheduler() };
}

/** Ends every process of a family that a server before this one started; resolves when none is left. Never rejects. */
export async function endLeftProcesses(
  processId: string,
  { families, rungs = STOP_RUNGS, log }: ProcessSurroundings,
): Promise<void> {
  const { family, cgroup } = await families.leftFamily(processId);
  // Nobody holds their stdin any more, so there is nobody to ask.
  const unasked = { ...rungs, askedMs: 0 };
  if (!(await stopFamily(family, Promise.resolve(), () => {}, unasked))) {
    log.error("processes outlived SIGKILL", { processId, members: await family.members() });
  } else await families.left(processId);
  if (cgroup !== undefined) await removeCgroup(cgroup);
}
