import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Agent, AgentRun, AgentTurn } from "../../../src/agent/agent.ts";
import { AgentMemory } from "../../../src/agent/agent-memory.ts";
import type { AgentCapabilities } from "../../../src/agent/capabilities.ts";
import { passedEnvironment } from "../../../src/agent/environment.ts";
import type { AgentInspection } from "../../../src/agent/inspection.ts";
import type { ProcessSurroundings } from "../../../src/agent/process/agent-process.ts";
import { askProgram } from "../../../src/agent/process/ask-program.ts";
import type { Environment } from "../../../src/config/environment.ts";
import { LineRun } from "./line-run.ts";

const PROGRAM = fileURLToPath(new URL("../../fixtures/line-agent.ts", import.meta.url));

/** What the adapter is told of its surroundings. */
export interface LineOptions {
  readonly processes: ProcessSurroundings;
  readonly environment: Environment;
  /** Further names to pass. */
  readonly passedNames: readonly string[];
}

/** The adapter of an agent that can do little: a process a turn, which tells its conversation's id when it has the prompt. */
export class LineAgent implements Agent {
  readonly capabilities: AgentCapabilities = {
    ...{ steer: false, changedInput: false, ownWork: false, resume: true, cost: false },
    images: undefined,
  };
  readonly defaults = { agent: "line", model: "none" };
  readonly #options: LineOptions;
  readonly #memory: AgentMemory;
  readonly #runs = new Map<string, LineRun>();
  readonly #directory: string;

  constructor(options: LineOptions) {
    this.#options = options;
    this.#memory = new AgentMemory(options.processes.maxLineBytes);
    this.#directory = join(options.environment.HOME!, ".line");
  }

  start(turn: AgentTurn): AgentRun {
    const { processes, environment, passedNames } = this.#options;
    const env = passedEnvironment(environment, new Set(passedNames));
    const run = new LineRun(turn, { processes, path: PROGRAM, env, memory: this.#memory });
    this.#runs.set(turn.sessionKey, run);
    void run.released.then(() => {
      if (this.#runs.get(turn.sessionKey) === run) this.#runs.delete(turn.sessionKey);
    });
    return run;
  }

  async inspect(): Promise<AgentInspection> {
    const { environment } = this.#options;
    const env = { PATH: environment.PATH ?? "" };
    const answer = await askProgram({
      path: PROGRAM,
      args: ["--version"],
      environment: env,
      withinMs: 15_000,
    });
    const version = "stdout" in answer ? answer.stdout.trim() : "";
    return { version, broken: undefined, unauthenticated: undefined };
  }

  chooseConversation(): string {
    return "";
  }

  rememberedSessions(): readonly string[] {
    return [];
  }

  onOwnWork(): void {}

  reserve(): undefined {}

  prepare(): void {}

  async close(): Promise<void> {}

  async closeIdle(): Promise<void> {}

  killNow(): void {
    for (const run of this.#runs.values()) run.killNow();
  }

  async isOwnConversation(
    agentSessionId: string,
    _sessionKey: string,
    workspace: string,
  ): Promise<boolean> {
    if (!/^line_\d+$/.test(agentSessionId)) return false;
    const file = await readFile(join(this.#directory, agentSessionId), "utf8").catch(() => "");
    return file === "" || file.split("\n")[0] === workspace;
  }

  async forget(agentSessionIds: readonly string[]): Promise<void> {
    for (const id of agentSessionIds) await rm(join(this.#directory, id), { force: true });
  }
}
