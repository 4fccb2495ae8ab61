import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Environment } from "../../config/environment.ts";
import type { Owner } from "../../files/owner.ts";
import { TreeRemovals } from "../../files/tree-removals.ts";
import type { Agent, AgentRun, AgentTurn, OwnWork, SpareReservation } from "../agent.ts";
import type { AgentCapabilities } from "../capabilities.ts";
import { Executable } from "../executable.ts";
import type { AgentInspection } from "../inspection.ts";
import type { ProcessSurroundings } from "../process/agent-process.ts";
import type { ProcessCounts } from "../process-counts.ts";
import type { PoolLimits } from "../process-pool.ts";
import type { SparePlan } from "../spares.ts";
import { ClaudeRecords } from "./claude-records.ts";
import type { ToolLimits } from "./command-line.ts";
import { configDirectory } from "./config-directory.ts";
import { conversationOrigin, removeConversations } from "./conversation-files.ts";
import { agentEnvironment } from "./environment.ts";
import { isUuid } from "./ids.ts";
import { type InspectedCli, inspectCli } from "./inspect-cli.ts";
import { LongLines } from "./long-lines.ts";
import type { PermissionRules } from "./permission-rules.ts";
import { SessionProcesses } from "./session-processes.ts";

/** What the adapter is told of its surroundings. */
export interface ClaudeOptions extends ToolLimits, PoolLimits {
  /** The executable: an absolute path, or a name that is looked up on the server's PATH when a process is started. */
  readonly command: string;
  /** Arguments before those of the CLI, for an executable that is not the CLI itself. Default: none. */
  readonly leadingArguments?: readonly string[];
  /** The server's environment, of which the agent gets the allow-list's part. */
  readonly environment: Environment;
  /** Further names to pass. */
  readonly passedNames: readonly string[];
  /** What an event may take. */
  readonly maxEventBytes: number;
  /** What its processes share with other agents'. */
  readonly processes: ProcessSurroundings;
  /** The agent definition and the model of sessions that name none. */
  readonly defaults: Agent["defaults"];
  /** How many processes wait for new sessions, for the defaults, and the mode that they are for. */
  readonly spares: Pick<SparePlan, "count" | "mode">;
}

/** The model of sessions that name none, where the operator names none: an alias that the CLI resolves. */
export const DEFAULT_MODEL = "sonnet";

const CAPABILITIES: AgentCapabilities = {
  steer: true,
  changedInput: true,
  ownWork: true,
  resume: true,
  images: {
    mediaTypes: ["image/png", "image/jpeg", "image/gif", "image/webp"],
    // The model's API takes 5 MB of base64.
    maxBytes: 3_932_160,
  },
  cost: true,
};

/** The Claude Code CLI as an agent: processes that take turn after turn, and remember through their own files. */
export class ClaudeAgent implements Agent {
  readonly capabilities = CAPABILITIES;
  readonly defaults: Agent["defaults"];
  readonly records: ClaudeRecords;
  /** `rules`: those that processes are started with from now on. */
  readonly #tools: { rules: PermissionRules; readonly trustsWorkspace: boolean };
  readonly #trees = new TreeRemovals();
  /** Where the CLI keeps its conversations. */
  readonly #directory: string;
  /** Whose that is, where it is not the server's user's. */
  readonly #owner: Owner | undefined;
  readonly #sessions: SessionProcesses;
  readonly #inspected: () => InspectedCli;

  constructor(options: ClaudeOptions) {
    const { command, environment, passedNames, processes, defaults, spares } = options;
    const { leadingArguments = [] } = options;
    this.defaults = defaults;
    this.#tools = { rules: options.rules, trustsWorkspace: options.trustsWorkspace };
    this.#directory = configDirectory(environment);
    this.#owner = processes.user;
    this.records = new ClaudeRecords(this.#directory, this.#trees, this.#owner);
    const executable = new Executable(command, environment, processes.log);
    this.#inspected = () => ({
      path: executable.find(),
      ...{ command, leadingArguments, directory: this.#directory },
      environment: agentEnvironment(environment, passedNames),
      user: processes.user,
    });
    this.#sessions = new SessionProcesses({
      ...{ processes, executable },
      longLines: new LongLines(processes.maxLineBytes, options.maxEventBytes, processes.log),
      environment,
      passedNames,
      leadingArguments,
      tools: this.#tools,
      limits: options,
      trees: this.#trees,
      spares: { plan: { ...spares, ...defaults } },
      command,
      directory: this.#directory,
    });
  }

  inspect(): Promise<AgentInspection> {
    return inspectCli(this.#inspected());
  }

  start(turn: AgentTurn): AgentRun {
    return this.#sessions.start(turn);
  }

  /** The CLI opens a conversation under any UUID: with it on record a turn is taken up again, whatever was killed when. */
  chooseConversation(): string {
    return randomUUID();
  }

  rememberedSessions(): readonly string[] {
    return this.#sessions.rememberedSessions();
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

  processCounts(): ProcessCounts {
    return this.#sessions.counts;
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
    const [directory, owner] = [this.#directory, this.#owner];
    const origin = await conversationOrigin(directory, agentSessionId, workspace, owner);
    return origin === undefined || origin === "own";
  }

  async forget(agentSessionIds: readonly string[], workspace: string): Promise<void> {
    await this.#sessions.closeSpare(workspace);
    const [directory, owner] = [this.#directory, this.#owner];
    await removeConversations(directory, agentSessionIds, workspace, this.#trees, owner);
  }
}
