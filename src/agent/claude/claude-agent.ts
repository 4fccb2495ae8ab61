import { isDeepStrictEqual } from "node:util";
import type { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import { TreeRemovals } from "../../files/tree-removals.ts";
import type { Log } from "../../log.ts";
import type { Agent, AgentRun, AgentTurn, OwnWork, ProcessRegistry, SparePlace } from "../agent.ts";
import { removeCgroup } from "../process/cgroup.ts";
import { STOP_RUNGS, type StopRungs, stopFamily } from "../process/stop-ladder.ts";
import { TurnProcesses } from "../process/turn-processes.ts";
import { ClaudeRun } from "./claude-run.ts";
import type { ToolLimits } from "./command-line.ts";
import { configDirectory, conversationOrigin, removeConversations } from "./config-directory.ts";
import { Conversations } from "./conversations.ts";
import { Executable } from "./executable.ts";
import { isUuid } from "./ids.ts";
import type { PermissionRules } from "./permission-rules.ts";
import type { SparePlan } from "./spares.ts";

/** What the adapter is told of its surroundings. */
export interface ClaudeOptions extends ToolLimits {
  /** The executable: an absolute path, or a name that is looked up on the server's PATH when a process is started. */
  readonly command: string;
  /** The server's environment, of which the agent gets the allow-list's part. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Further names to pass. */
  readonly passedNames: readonly string[];
  /** The longest line that is read. */
  readonly maxLineBytes: number;
  /** Where it is recorded which processes may live. */
  readonly registry: ProcessRegistry;
  /** How many processes that no turn is using are kept for their sessions. 0: each ends with its turn. */
  readonly maxWarmProcesses: number;
  /** How long one of them is kept, in milliseconds. */
  readonly warmMs: number;
  /** What waits for new sessions. */
  readonly spares: SparePlan;
  readonly log: Log;
  /** False: processes get no cgroup of their own, also where the machine offers one. */
  readonly cgroups?: boolean;
  /** What the agents' files are made without: what the operator's are. Undefined: the server's own. */
  readonly umask?: number | undefined;
  /** How long each rung of the stop ladder waits. */
  readonly rungs?: StopRungs;
  /** How long a CLI that gave its result and is not kept may go on before the ladder, in milliseconds. */
  readonly lingerMs?: number;
}

/** What a run is told of its surroundings. */
export interface ClaudeRunOptions extends ClaudeOptions {
  readonly processes: TurnProcesses;
  readonly executable: Executable;
  /** What the next process is started with. */
  rules: PermissionRules;
  readonly trees: TreeRemovals;
}

/** The Claude Code CLI as an agent: processes that take turn after turn, and remember through their own files. */
export class ClaudeAgent implements Agent {
  readonly #options: ClaudeRunOptions;
  readonly #conversations: Conversations;

  constructor(options: ClaudeOptions) {
    const { command, environment, log, cgroups } = options;
    const executable = new Executable(command, environment, log);
    const processes = new TurnProcesses(log, cgroups);
    const trees = new TreeRemovals();
    this.#options = { ...options, executable, processes, trees };
    this.#conversations = new Conversations(this.#options);
  }

  start(turn: AgentTurn): AgentRun {
    return ClaudeRun.start(turn, { conversations: this.#conversations, options: this.#options });
  }

  onOwnWork(take: (work: OwnWork) => string): void {
    this.#conversations.onOwnWork(take);
  }

  /** From now on processes are started with these rules, and one that has others takes no further turn of a prompt. */
  setRules(rules: PermissionRules): void {
    // Unchanged ones end no process.
    if (isDeepStrictEqual(rules, this.#options.rules)) return;
    this.#options.rules = rules;
    this.#conversations.renewSpares();
  }

  reserve(agent: string, model: string, mode: PermissionMode): SparePlace | undefined {
    return this.#conversations.reserve(agent, model, mode);
  }

  prepare(makeWorkspace: () => Promise<string>): void {
    this.#conversations.prepare(makeWorkspace);
  }

  close(sessionId: string): Promise<void> {
    return this.#conversations.close(sessionId);
  }

  closeIdle(): Promise<void> {
    return this.#conversations.closeIdle();
  }

  async endProcesses(processId: string): Promise<void> {
    const { processes, rungs = STOP_RUNGS, log } = this.#options;
    const { family, cgroup } = await processes.leftFamily(processId);
    // Nobody holds their stdin any more, so there is nobody to ask.
    const unasked = { ...rungs, askedMs: 0 };
    if (!(await stopFamily(family, Promise.resolve(), () => {}, unasked))) {
      log.error("processes outlived SIGKILL", { processId, members: await family.members() });
    }
    if (cgroup !== undefined) await removeCgroup(cgroup);
  }

  killNow(): void {
    this.#conversations.killNow();
  }

  async isOwnConversation(
    agentSessionId: string,
    sessionId: string,
    workspace: string,
  ): Promise<boolean> {
    if (!isUuid(agentSessionId)) return false;
    // One that waits for a session has no file yet, and is on nobody's record.
    if (this.#conversations.isAnothers(agentSessionId, sessionId)) return false;
    const directory = configDirectory(this.#options.environment);
    const origin = await conversationOrigin(directory, agentSessionId, workspace);
    return origin === undefined || origin === "own";
  }

  async forget(agentSessionIds: readonly string[], workspace: string): Promise<void> {
    const { environment, trees } = this.#options;
    await Promise.all(agentSessionIds.map((id) => this.#conversations.closeSpare(id)));
    await removeConversations(configDirectory(environment), agentSessionIds, workspace, trees);
  }
}
