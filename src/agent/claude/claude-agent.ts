import type { Log } from "../../log.ts";
import type { Agent, AgentRun, AgentTurn } from "../agent.ts";
import { removeCgroup } from "../process/cgroup.ts";
import { STOP_RUNGS, type StopRungs, stopFamily } from "../process/stop-ladder.ts";
import { TurnProcesses } from "../process/turn-processes.ts";
import { ClaudeRun } from "./claude-run.ts";
import { configDirectory, removeConversation } from "./config-directory.ts";

/** What the adapter is told of its surroundings. */
export interface ClaudeOptions {
  /** The executable: a path, or a name to look up on the server's PATH. */
  readonly command: string;
  /** The server's environment, of which the agent gets the allow-list's part. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Further names to pass. */
  readonly passedNames: readonly string[];
  /** The longest line that is read. */
  readonly maxLineBytes: number;
  readonly log: Log;
  /** False: turns get no cgroup of their own, also where the machine offers one. */
  readonly cgroups?: boolean;
  /** How long each rung of the stop ladder waits. */
  readonly rungs?: StopRungs;
  /** How long a CLI that gave its result may go on before the ladder, in milliseconds. */
  readonly lingerMs?: number;
}

/** What a run is told of its surroundings. */
export interface ClaudeRunOptions extends ClaudeOptions {
  readonly processes: TurnProcesses;
}

/** The Claude Code CLI as an agent: a process for each turn, which remembers through its own files. */
export class ClaudeAgent implements Agent {
  readonly #options: ClaudeRunOptions;
  readonly #running = new Set<ClaudeRun>();

  constructor(options: ClaudeOptions) {
    this.#options = { ...options, processes: new TurnProcesses(options.log, options.cgroups) };
  }

  start(turn: AgentTurn): AgentRun {
    const run = new ClaudeRun(turn, this.#options);
    this.#running.add(run);
    void run.gone.then(() => this.#running.delete(run));
    return run;
  }

  async endProcesses(processId: string): Promise<void> {
    const { processes, rungs = STOP_RUNGS, log } = this.#options;
    const { family, cgroup } = processes.leftFamily(processId);
    // Nobody holds their stdin any more, so there is nobody to ask.
    const unasked = { ...rungs, askedMs: 0 };
    if (!(await stopFamily(family, Promise.resolve(), () => {}, unasked))) {
      log.error("processes outlived SIGKILL", { processId, members: await family.members() });
    }
    if (cgroup !== undefined) await removeCgroup(cgroup);
  }

  killNow(): void {
    for (const run of this.#running) run.killNow();
  }

  async forget(agentSessionId: string): Promise<void> {
    await removeConversation(configDirectory(this.#options.environment), agentSessionId);
  }
}
