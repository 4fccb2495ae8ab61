import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";

/** What happened, without its place in a turn: the turn gives it a sequence, ids and a time. */
export type EventKind = Exclude<TurnEvent["kind"], { case: undefined }>;

/** An event that ends a turn. */
export type TerminalKind = Extract<EventKind, { case: "result" | "error" }>;

/** Whether an event ends its turn. */
export function isTerminal(kind: TurnEvent["kind"]): kind is TerminalKind {
  return kind.case === "result" || kind.case === "error";
}

/** Everything that an agent needs to know of a turn to run it. */
export interface AgentTurn {
  /** The directory that the agent works in. It exists. */
  readonly workspace: string;
  /** The agent's own id of the conversation, a UUID: to open it under where the agent has none of that id yet. */
  readonly agentSessionId: string;
  /** What the agent is asked; always literal text. */
  readonly prompt: string;
  /** The model's name, as the agent takes it. */
  readonly model: string;
  /** The name of the agent definition. */
  readonly agent: string;
  /**
   * The unguessable id under which the turn's processes are found again: every process that the turn starts carries it
   * in its environment.
   */
  readonly processId: string;
}

/** An agent that runs turns. */
export interface Agent {
  /** Starts a turn. Never throws: what goes wrong is the run's terminal event. */
  start(turn: AgentTurn): AgentRun;
  /** Ends every process of a turn that a server before this one ran; resolves when none is left. */
  endProcesses(processId: string): Promise<void>;
  /** Kills what can be killed of the running turns at once, for a server that ends without waiting. */
  killNow(): void;
  /** Removes what the agent itself keeps of a conversation. */
  forget(agentSessionId: string): Promise<void>;
}

/**
 * One turn in the hands of an agent.
 *
 * Owned by whoever started it, who must either read `events` to its end or call `stop`.
 */
export interface AgentRun {
  /**
   * What the agent does, a batch for each piece of its output that held a whole line; a batch may be empty, and then only
   * says that the agent lives. The last event of the last batch is the run's one terminal event: the agent's `result`, or
   * an `error` that says how it failed. Nothing follows it, whatever the agent still prints.
   * To be read once. It reads no faster than it is asked.
   */
  readonly events: AsyncIterable<EventKind[]>;
  /** The agent's own id of the conversation as the agent last gave it; it can differ from the one asked for. */
  readonly agentSessionId: string;
  /** What is known so far of usage and cost, for a turn that ends without a result. */
  readonly spending: Spending;
  /** Resolves when no process of the turn is left. Never rejects. */
  readonly gone: Promise<void>;
  /**
   * Ends the turn's processes by a ladder of bounded rungs, from asking to killing. Resolves as `gone` does. Idempotent.
   */
  stop(): Promise<void>;
}

/** Usage and cost, as far as an agent has told. */
export type Spending = Pick<
  Extract<EventKind, { case: "error" }>["value"],
  "usage" | "totalCostUsd"
>;
