import type { AgentRun, TerminalKind } from "../agent/agent.ts";
import type { ApprovalAnswer } from "../turn-requests.ts";
import { awaitsProcesses, type EndCause, type Interrupter, nameInterrupter } from "./end-causes.ts";

/** Where a turn stands. It goes through these in order, and may leave out `running`. */
export type Phase =
  /** Until it is run. What is steered meanwhile is handed to the run. */
  | { readonly is: "waiting"; readonly steered: string[] }
  | { readonly is: "running"; readonly run: AgentRun; readonly interruptedBy?: Interrupter }
  /** It has its cause; the end is not on record yet. */
  | { readonly is: "ending"; readonly cause: EndCause; readonly run: AgentRun | undefined }
  | { readonly is: "ended"; readonly cause: EndCause };

/**
 * The course of one turn, from waiting to its end.
 *
 * 1. It ends by one cause, the first: none that comes later replaces it, and a store that fails no more than others.
 * 2. Its run is asked to stop at once where its processes have to be gone before the end.
 */
export class TurnLifecycle {
  readonly #ending = new AbortController();
  #phase: Phase = { is: "waiting", steered: [] };

  get phase(): Phase {
    return this.#phase;
  }

  /** Aborts when the turn begins to end. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  get isEnding(): boolean {
    return this.#ending.signal.aborted;
  }

  /** The agent has begun. */
  begin(run: AgentRun): void {
    if (this.#phase.is !== "waiting") throw new Error(`a turn that is ${this.#phase.is} begins`);
    const { steered } = this.#phase;
    this.#phase = { is: "running", run };
    for (const message of steered) run.steer(message);
  }

  /** Begins to end the turn, unless it has ended or is ending already. */
  end(cause: EndCause): void {
    const phase = this.#phase;
    if (phase.is === "ending" || phase.is === "ended") return; // 1.
    const run = phase.is === "running" ? phase.run : undefined;
    this.#phase = { is: "ending", cause, run };
    this.#ending.abort();
    if (awaitsProcesses(cause)) void run?.stop(); // 2.
  }

  /** The end is on record. */
  conclude(cause: EndCause): void {
    this.#phase = { is: "ended", cause };
  }

  /** Hands the agent a message, at once or when it begins. Answers whether it will be taken up. */
  steer(message: string): boolean {
    const phase = this.#phase;
    if (phase.is === "waiting") phase.steered.push(message);
    return phase.is === "waiting" || (phase.is === "running" && phase.run.steer(message));
  }

  /** Asks the agent to stop what it does; a turn that waits ends. */
  interrupt(by: Interrupter): void {
    const phase = this.#phase;
    if (phase.is === "waiting") this.end({ case: "interruptBeforeRun", by });
    if (phase.is !== "running") return;
    this.#phase = { interruptedBy: by, ...phase };
    phase.run.interrupt();
  }

  /** Has the agent's end say for whom it stopped, where it was asked to. */
  nameInterrupter(terminal: TerminalKind | undefined): void {
    if (terminal === undefined || this.#phase.is !== "running") return;
    nameInterrupter(terminal, this.#phase.interruptedBy);
  }

  /** Answers the agent, where it still runs. Answers whether it does. */
  answer(approvalId: string, answer: ApprovalAnswer): boolean {
    if (this.#phase.is !== "running") return false;
    this.#phase.run.answer(approvalId, answer);
    return true;
  }
}
