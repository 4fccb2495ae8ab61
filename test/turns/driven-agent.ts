import { randomUUID } from "node:crypto";
import type {
  Agent,
  AgentRun,
  AgentTurn,
  EventKind,
  OwnWork,
  Spending,
} from "../../src/agent/agent.ts";
import { Agents } from "../../src/agent/agents.ts";
import type { AgentCapabilities } from "../../src/agent/capabilities.ts";
import type { AgentInspection } from "../../src/agent/inspection.ts";
import type { ApprovalAnswer } from "../../src/turn-requests.ts";

/** What it can do unless a test says otherwise: everything. */
export const ABLE: AgentCapabilities = {
  ...{ steer: true, changedInput: true, ownWork: true, resume: true, cost: true },
  images: { mediaTypes: ["image/png"], maxBytes: 1_000_000 },
};

/** The only agent of a server. */
export function drivenAgents(agent: Agent): Agents {
  return new Agents(new Map([["driven", agent]]), "driven", async () => {});
}

/** An agent without a program: a test says, step by step, what it does. */
export class DrivenAgent implements Agent {
  capabilities: AgentCapabilities;
  readonly defaults = { agent: "a", model: "m" };
  /** The sessions of which it says that it remembers them. */
  readonly remembered = new Set<string>();
  /** The sessions whose process was to end, and the workspaces whose conversations were forgotten. */
  readonly closed: string[] = [];
  readonly forgotten: string[] = [];
  readonly #runs = new Map<string, DrivenRun>();
  #take: (work: OwnWork) => string = () => "";

  constructor(capabilities: Partial<AgentCapabilities> = {}) {
    this.capabilities = { ...ABLE, ...capabilities };
  }

  /** What a session's conversation is opened under. */
  chooseConversation = (): string => randomUUID();

  async inspect(): Promise<AgentInspection> {
    return { version: "1.0.0", broken: undefined, unauthenticated: undefined };
  }

  rememberedSessions(): readonly string[] {
    return [...this.remembered];
  }

  start(turn: AgentTurn): AgentRun {
    const run = this.runOf(turn.prompt);
    run.start(turn);
    return run;
  }

  /** What the turn of that prompt is, or will be, to the agent. */
  runOf(prompt: string): DrivenRun {
    const run = this.#runs.get(prompt) ?? new DrivenRun();
    this.#runs.set(prompt, run);
    return run;
  }

  onOwnWork(take: (work: OwnWork) => string): void {
    this.#take = take;
  }

  /** Begins to work by itself in the session of a turn, its last. */
  beginOwnWork({ turnId, sessionKey, model, agent, permissionMode }: AgentTurn): DrivenOwnWork {
    const run = new DrivenRun();
    const work = { run, turnId: "", isDeclined: false };
    work.turnId = this.#take({
      ...{ sessionKey, causeTurnId: turnId, lastTurnId: turnId, model, agent, permissionMode, run },
      decline: () => {
        work.isDeclined = true;
      },
    });
    return work;
  }

  reserve(): undefined {}

  prepare(): void {}

  async close(sessionId: string): Promise<void> {
    this.closed.push(sessionId);
  }

  async closeIdle(): Promise<void> {}

  killNow(): void {}

  isOwnConversation(): Promise<boolean> {
    return this.lookIntoConversation();
  }

  /** What it finds of a conversation that it says it holds. */
  lookIntoConversation: () => Promise<boolean> = async () => true;

  async forget(_agentSessionIds: readonly string[], workspace: string): Promise<void> {
    this.forgotten.push(workspace);
    await this.forgetting(workspace);
  }

  /** How long it takes to forget a session's conversations. */
  forgetting: (workspace: string) => Promise<void> = async () => {};
}

/** What an agent does by itself, and what has become of it. */
export interface DrivenOwnWork {
  readonly run: DrivenRun;
  /** The turn that it is to become. */
  readonly turnId: string;
  readonly isDeclined: boolean;
}

/** How a run stops giving events: by itself, or by a defect of its own. */
type End = "left" | Error;

/** One turn in its hands. What it gives before it is started comes then. */
export class DrivenRun implements AgentRun {
  agentSessionId = "";
  /** What it was started for. Undefined: it was not, or works by itself. */
  turn: AgentTurn | undefined;
  /** Whether somebody reads what it does: it is declined no more. */
  isRead = false;
  /** Resolves when the turn has been handed over. Never, where it ends before. */
  readonly started: Promise<void>;
  readonly spending: Spending = { totalCostUsd: 0.5 };
  readonly events: AsyncIterable<EventKind[]>;
  readonly released: Promise<void>;
  /** What it says of itself. */
  waitsForModel = false;
  /** The answers to approvals and the messages that it was handed. */
  readonly answers: [approvalId: string, answer: ApprovalAnswer][] = [];
  readonly steered: string[] = [];
  /** How often it was asked to stop what it does. */
  interrupts = 0;
  /** Its processes end when this does. */
  lastProcess: Promise<void> = Promise.resolve();
  readonly #released = Promise.withResolvers<void>();
  readonly #batches: EventKind[][] = [];
  #end: End | undefined;
  #wake: () => void = () => {};

  readonly #started = Promise.withResolvers<void>();

  constructor() {
    this.started = this.#started.promise;
    this.released = this.#released.promise;
    this.events = this.#read();
  }

  /** How many batches nobody has asked for yet. */
  get unread(): number {
    return this.#batches.length;
  }

  /** Whether it takes further steps. */
  get isOver(): boolean {
    return this.#end !== undefined;
  }

  start(turn: AgentTurn): void {
    this.turn = turn;
    this.agentSessionId = turn.agentSessionId;
    this.#started.resolve();
  }

  /** Gives a batch; nobody waits until it is read. */
  give(batch: EventKind[]): void {
    if (!this.isOver) this.#batches.push(batch);
    this.#wake();
  }

  /** Gives nothing more. */
  leave(how: End = "left"): void {
    this.#end ??= how;
    void this.lastProcess.then(this.#released.resolve);
    this.#wake();
  }

  async stop(): Promise<void> {
    this.leave();
    await this.lastProcess;
  }

  interrupt(): void {
    this.interrupts++;
  }

  steer(message: string): boolean {
    if (!this.isOver) this.steered.push(message);
    return !this.isOver;
  }

  answer(approvalId: string, answer: ApprovalAnswer): void {
    this.answers.push([approvalId, answer]);
  }

  async *#read(): AsyncGenerator<EventKind[]> {
    this.isRead = true;
    for (;;) {
      const batch = this.#batches.shift();
      if (batch !== undefined) yield batch;
      else if (this.#end instanceof Error) throw this.#end;
      else if (this.#end !== undefined) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
