import type {
  Agent,
  AgentRun,
  AgentTurn,
  ApprovalAnswer,
  EventKind,
  Spending,
} from "../../src/agent/agent.ts";

/** An agent without a program: a test says, step by step, what it does. */
export class DrivenAgent implements Agent {
  readonly #runs = new Map<string, DrivenRun>();

  start(turn: AgentTurn): AgentRun {
    const run = this.runOf(turn.prompt);
    run.start(turn.agentSessionId);
    return run;
  }

  /** What the turn of that prompt is, or will be, to the agent. */
  runOf(prompt: string): DrivenRun {
    const run = this.#runs.get(prompt) ?? new DrivenRun();
    this.#runs.set(prompt, run);
    return run;
  }

  /** It does nothing by itself. */
  onOwnWork(): void {}

  reserve(): undefined {}

  prepare(): void {}

  /** There are no processes, also of a server before. */
  async close(): Promise<void> {}

  async closeIdle(): Promise<void> {}

  async endProcesses(): Promise<void> {}

  killNow(): void {}

  isOwnConversation(): Promise<boolean> {
    return this.lookIntoConversation();
  }

  /** What it finds of a conversation that it says it holds. */
  lookIntoConversation: () => Promise<boolean> = async () => true;

  async forget(): Promise<void> {}
}

/** How a run stops giving events: by itself, or by a defect of its own. */
type End = "left" | Error;

/** One turn in its hands. What it gives before it is started comes then. */
export class DrivenRun implements AgentRun {
  agentSessionId = "";
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

  start(agentSessionId: string): void {
    this.agentSessionId = agentSessionId;
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
    this.#released.resolve();
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
    for (;;) {
      const batch = this.#batches.shift();
      if (batch !== undefined) yield batch;
      else if (this.#end instanceof Error) throw this.#end;
      else if (this.#end !== undefined) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
