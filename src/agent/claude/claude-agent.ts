import type { Log } from "../../log.ts";
import type { Agent, AgentRun, AgentTurn } from "../agent.ts";
import { ProcessFamily } from "../process/process-family.ts";
import { STOP_RUNGS, type StopRungs, stopFamily } from "../process/stop-ladder.ts";
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
  /** How long each rung of the stop ladder waits. */
  readonly rungs?: StopRungs;
  /** How long a CLI that gave its result may go on before the ladder, in milliseconds. */
  readonly lingerMs?: number;
}

/** The Claude Code CLI as an agent: a process for each turn, which remembers through its own files. */
export class ClaudeAgent implements Agent {
  readonly #options: ClaudeOptions;

  constructor(options: ClaudeOptions) {
    this.#options = options;
  }

  start(turn: AgentTurn): AgentRun {
    return new ClaudeRun(turn, this.#options);
  }

  async endProcesses(processIds: readonly string[]): Promise<void> {
    if (processIds.length === 0) return;
    const family = new ProcessFamily(processIds);
    // Nobody holds their stdin any more, so there is nobody to ask.
    const rungs = { ...(this.#options.rungs ?? STOP_RUNGS), askedMs: 0 };
    const left = await stopFamily(family, Promise.resolve(), () => {}, rungs);
    if (left > 0) this.#options.log.error("processes outlived SIGKILL", { processIds, left });
  }

  async forget(agentSessionId: string): Promise<void> {
    await removeConversation(configDirectory(this.#options.environment), agentSessionId);
  }
}
