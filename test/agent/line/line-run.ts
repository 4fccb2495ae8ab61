import { create } from "@bufbuild/protobuf";
import { ErrorReason, ResultEventSchema } from "../../../gen/breakglass/v1/event_pb.ts";
import type { AgentRun, AgentTurn, EventKind } from "../../../src/agent/agent.ts";
import type { AgentMemory, ProcessMemory } from "../../../src/agent/agent-memory.ts";
import { errorEvent, sessionEvent, textEvent } from "../../../src/agent/events.ts";
import { OpenApprovals } from "../../../src/agent/open-approvals.ts";
import {
  AgentProcess,
  type ProcessOutput,
  type ProcessSurroundings,
} from "../../../src/agent/process/agent-process.ts";
import type { ProcessExit } from "../../../src/agent/process/piped-process.ts";
import { openWorkspace } from "../../../src/agent/process/workspace.ts";
import { RunOutput } from "../../../src/agent/run-output.ts";
import type { ApprovalAnswer } from "../../../src/turn-requests.ts";

/** What a run is started with. */
export interface LineSurroundings {
  readonly processes: ProcessSurroundings;
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  readonly memory: AgentMemory;
}

const NO_ORIGIN = { messageId: "", parentToolId: "" };

/** One turn of the line agent: a process of its own. */
export class LineRun implements AgentRun, ProcessOutput {
  readonly events: AsyncIterable<EventKind[]>;
  readonly spending = { totalCostUsd: 0 };
  readonly released: Promise<void>;
  readonly #turn: AgentTurn;
  readonly #memory: ProcessMemory;
  readonly #approvals: OpenApprovals;
  readonly #output = new RunOutput(() => this.#process?.resume());
  #process: AgentProcess | undefined;
  #agentSessionId: string;
  #batch: EventKind[] = [];
  #isOver = false;
  #isStopped = false;
  #isInterrupted = false;
  #hasBegun = false;

  constructor(turn: AgentTurn, { memory, ...surroundings }: LineSurroundings) {
    this.#turn = turn;
    this.#agentSessionId = turn.agentSessionId;
    this.#memory = memory.process();
    this.#approvals = new OpenApprovals(this.#memory.questions);
    this.#output.chargeTo(this.#memory.lines);
    this.events = this.#output.batches;
    this.released = this.#run(surroundings);
  }

  get agentSessionId(): string {
    return this.#agentSessionId;
  }

  get waitsForModel(): boolean {
    return this.#hasBegun && this.#approvals.isEmpty;
  }

  interrupt(): void {
    this.#isInterrupted = true;
    this.#process?.write("cancel\n");
  }

  steer(): boolean {
    return false;
  }

  answer(approvalId: string, answer: ApprovalAnswer): void {
    const open = this.#approvals.settle(approvalId);
    if (open !== undefined) {
      this.#process?.reply(`${answer.allow ? "allow" : "deny"} ${open.requestId}\n`);
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    void this.#process?.close();
    await this.released;
  }

  killNow(): void {
    this.#process?.killNow();
  }

  line(bytes: Uint8Array): void {
    const [word = "", ...rest] = Buffer.from(bytes).toString("utf8").split(" ");
    if (this.#isOver) return;
    if (word === "conversation") this.#comeUp(rest[0] ?? "");
    if (word === "text") this.#batch.push(textEvent(JSON.parse(rest.join(" ")), NO_ORIGIN));
    if (word === "ask") this.#ask(rest);
    if (word === "done") this.#end({ case: "result", value: create(ResultEventSchema) });
    if (word === "canceled") this.#fail(ErrorReason.CANCELED, "it was interrupted");
    if (word === "unknown") this.#fail(ErrorReason.AGENT_START_FAILED, "no such conversation");
  }

  skipped(): void {}

  /** Of this protocol any piece of a line could be one. */
  isWhole(): boolean {
    return false;
  }

  flush(): void {
    if (this.#batch.length > 0) this.#output.give(this.#batch.splice(0));
    if (this.#output.mustWait && !this.#isStopped) this.#process?.pause();
  }

  exited({ exitCode, startError }: ProcessExit): void {
    const { AGENT_EXITED, AGENT_NOT_FOUND } = ErrorReason;
    if (startError !== undefined) this.#fail(AGENT_NOT_FOUND, startError.message);
    this.#fail(AGENT_EXITED, `the agent exited: ${exitCode}`);
  }

  async #run(surroundings: Omit<LineSurroundings, "memory">): Promise<void> {
    try {
      await this.#start(surroundings);
      await this.#process?.gone;
    } catch (error) {
      this.#fail(ErrorReason.AGENT_START_FAILED, (error as Error).message);
    }
    this.#output.close();
    this.#memory.close();
  }

  async #start({ processes, path, env }: Omit<LineSurroundings, "memory">): Promise<void> {
    const { workspace, sessionKey, agentSessionId, prompt } = this.#turn;
    await using directory = await openWorkspace(workspace);
    if (this.#isStopped) return;
    const args = [workspace, ...(agentSessionId === "" ? [] : [agentSessionId])];
    const program = { path, args, cwd: directory.place(), env, stopRequest: "cancel\n" };
    const start = { sessionKey, workspace, program, memory: this.#memory };
    await AgentProcess.start(start, processes, (process) => {
      this.#process = process;
      return this;
    });
    if (this.#isStopped) void this.#process?.close();
    this.#process?.write(`prompt ${JSON.stringify(prompt)}\n`);
    if (this.#isInterrupted) this.interrupt();
  }

  #comeUp(id: string): void {
    const resumed = this.#agentSessionId !== "";
    this.#agentSessionId = id;
    this.#hasBegun = true;
    const facts = { agentSessionId: id, resumed, agentVersion: "1" };
    this.#batch.push(sessionEvent({ ...facts, model: this.#turn.model, agent: this.#turn.agent }));
  }

  #ask([id = "", name = "", ...input]: string[]): void {
    const json = input.join(" ");
    const call = { toolId: id, name, input: { json, truncated: false, totalBytes: 0n } };
    this.#approvals.open(id, { ...call, description: undefined }, this.#batch);
  }

  #fail(reason: ErrorReason, message: string): void {
    this.#end({ case: "error", value: errorEvent(reason, message) });
  }

  #end(event: EventKind): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#approvals.close([]);
    this.#batch.push(event);
    this.flush();
    this.#output.close();
    void this.#process?.close(1000);
  }
}
