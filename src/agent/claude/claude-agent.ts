import { isDeepStrictEqual } from "node:util";
import type { Environment } from "../../config/environment.ts";
import { TreeRemovals } from "../../files/tree-removals.ts";
import type { Log } from "../../log.ts";
import type { Agent, AgentRun, AgentTurn, OwnWork, SpareReservation } from "../agent.ts";
import { Executable } from "../executable.ts";
import { OutputScheduler } from "../output-scheduler.ts";
import type { ProcessSurroundings } from "../process/agent-process.ts";
import { removeCgroup } from "../process/cgroup.ts";
import { ProcessFamilies } from "../process/process-families.ts";
import type { ProcessRegistry } from "../process/process-registry.ts";
import { STOP_RUNGS, type StopRungs, stopFamily } from "../process/stop-ladder.ts";
import type { PoolLimits } from "../process-pool.ts";
import type { SparePlan } from "../spares.ts";
import type { ToolLimits } from "./command-line.ts";
import { configDirectory, conversationOrigin, removeConversations } from "./config-directory.ts";
import { isUuid } from "./ids.ts";
import { LongLines } from "./long-lines.ts";
import type { PermissionRules } from "./permission-rules.ts";
import { SessionProcesses } from "./session-processes.ts";

/** What the adapter is told of its surroundings. */
export interface ClaudeOptions extends ToolLimits, PoolLimits {
  /** The executable: an absolute path, or a name that is looked up on the server's PATH when a process is started. */
  readonly command: string;
  /** The server's environment, of which the agent gets the allow-list's part. */
  readonly environment: Environment;
  /** Further names to pass. */
  readonly passedNames: readonly string[];
  /** The longest line that is read. */
  readonly maxLineBytes: number;
  /** What an event may take. */
  readonly maxEventBytes: number;
  /** Where it is recorded which processes may live. */
  readonly registry: ProcessRegistry;
  /** What waits for new sessions. */
  readonly spares: SparePlan;
  readonly log: Log;
  /** False: processes get no cgroup of their own, also where the machine offers one. */
  readonly cgroups?: boolean;
  /** What the agents' files are made without: what the operator's are. Undefined: the server's own. */
  readonly umask?: number | undefined;
  /** How long each rung of the stop ladder waits. */
  readonly rungs?: StopRungs;
}

/** The Claude Code CLI as an agent: processes that take turn after turn, and remember through their own files. */
export class ClaudeAgent implements Agent {
  readonly #surroundings: ProcessSurroundings;
  /** `rules`: those that processes are started with from now on. */
  readonly #tools: { rules: PermissionRules; readonly trustsWorkspace: boolean };
  readonly #trees = new TreeRemovals();
  /** Where the CLI keeps its conversations. */
  readonly #directory: string;
  readonly #sessions: SessionProcesses;

  constructor(options: ClaudeOptions) {
    const { command, environment, passedNames, log, spares } = options;
    const { registry, maxLineBytes, umask, rungs = STOP_RUNGS } = options;
    const families = new ProcessFamilies(log, options.cgroups);
    const scheduler = new OutputScheduler();
    this.#surroundings = { registry, families, scheduler, log, maxLineBytes, umask, rungs };
    this.#tools = { rules: options.rules, trustsWorkspace: options.trustsWorkspace };
    this.#directory = configDirectory(environment);
    this.#sessions = new SessionProcesses({
      processes: this.#surroundings,
      executable: new Executable(command, environment, log),
      longLines: new LongLines(maxLineBytes, options.maxEventBytes, log),
      environment,
      passedNames,
      tools: this.#tools,
      limits: options,
      spares: { plan: spares, trees: this.#trees },
      command,
      directory: this.#directory,
    });
  }

  start(turn: AgentTurn): AgentRun {
    return this.#sessions.start(turn);
  }

  onOwnWork(accept: (work: OwnWork) => string): void {
    this.#sessions.onOwnWork(accept);
  }

  /** From now on processes are started with these rules, and one that has others takes no further turn of a prompt. */
  setRules(rules: PermissionRules): void {
    // Unchanged ones end no process.
    if (isDeepStrictEqual(rules, this.#tools.rules)) return;
    this.#tools.rules = rules;
    this.#sessions.renewSpares();
  }

  reserve(...wanted: Parameters<Agent["reserve"]>): SpareReservation | undefined {
    return this.#sessions.reserve(...wanted);
  }

  prepare(makeWorkspace: () => Promise<string>): void {
    this.#sessions.prepare(makeWorkspace);
  }

  close(sessionKey: string): Promise<void> {
    return this.#sessions.close(sessionKey);
  }

  closeIdle(): Promise<void> {
    return this.#sessions.closeIdle();
  }

  async endProcesses(processId: string): Promise<void> {
    const { families, rungs = STOP_RUNGS, log } = this.#surroundings;
    const { family, cgroup } = await families.leftFamily(processId);
    // Nobody holds their stdin any more, so there is nobody to ask.
    const unasked = { ...rungs, askedMs: 0 };
    if (!(await stopFamily(family, Promise.resolve(), () => {}, unasked))) {
      log.error("processes outlived SIGKILL", { processId, members: await family.members() });
    }
    if (cgroup !== undefined) await removeCgroup(cgroup);
  }

  killNow(): void {
    this.#sessions.killNow();
  }

  async isOwnConversation(
    agentSessionId: string,
    sessionKey: string,
    workspace: string,
  ): Promise<boolean> {
    if (!isUuid(agentSessionId)) return false;
    // One that waits for a session has no file yet, and is on nobody's record.
    if (this.#sessions.isAnothers(agentSessionId, sessionKey)) return false;
    const origin = await conversationOrigin(this.#directory, agentSessionId, workspace);
    return origin === undefined || origin === "own";
  }

  async forget(agentSessionIds: readonly string[], workspace: string): Promise<void> {
    await Promise.all(agentSessionIds.map((id) => this.#sessions.closeSpare(id)));
    await removeConversations(this.#directory, agentSessionIds, workspace, this.#trees);
  }
}
