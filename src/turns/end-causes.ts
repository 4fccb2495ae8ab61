import { ErrorReason } from "../../gen/breakglass/v1/event_pb.ts";
import type { Spending, TerminalKind } from "../agent/agent.ts";
import { unsupportedByAgent } from "../errors.ts";
import { errorEvent } from "./turn-end.ts";

/** For whom an agent is asked to stop what it does, while its process lives on; or for which limit, in words. */
export type Interrupter = "caller" | "prompt" | { readonly limit: string };

/** Every cause that can end a turn. */
export type EndCause =
  // By the agent:
  /** Its own terminal event, also where it obeyed an interrupt. */
  | { readonly case: "agent"; readonly terminal: TerminalKind }
  /** Its events ended without a terminal one, which an adapter owes: a defect. */
  | { readonly case: "noTerminal" }
  // By a caller:
  | { readonly case: "cancel" }
  /** There was nothing to be interrupted yet. */
  | { readonly case: "interruptBeforeRun"; readonly by: Interrupter }
  /** An agent's own turn that did not obey the interrupt for a prompt that waits. */
  | { readonly case: "prompt" }
  // By a clock:
  | { readonly case: "turnTimeout"; readonly limitMs: number }
  | { readonly case: "idleTimeout"; readonly limitMs: number }
  // By the server:
  | { readonly case: "shutdown" }
  /** A server before this one left it. */
  | { readonly case: "restart"; readonly wasQueued: boolean }
  | { readonly case: "outputLimit"; readonly limitBytes: number }
  /** A limit of what may be spent was reached, and the agent did not obey the interrupt for it. */
  | { readonly case: "spendingLimit"; readonly limit: string }
  /** The store did not take an event of a turn that nothing else had ended. */
  | { readonly case: "store"; readonly error: Error }
  /** The files that came with the prompt cannot be put into the workspace. */
  | { readonly case: "attachments"; readonly error: Error }
  /** The agent cannot go on with the session's conversation, whose process has ended since the turn was recorded. */
  | { readonly case: "forgotten"; readonly agentKind: string }
  /** The server failed to follow the agent. */
  | { readonly case: "defect" };

type CauseOf<K extends EndCause["case"]> = Extract<EndCause, { case: K }>;

/** What a cause makes of its turn. */
interface ServerEnd<C> {
  readonly reason: ErrorReason;
  /** For the operator: what happened and what to do. */
  readonly message: (cause: C) => string;
  /** The terminal event goes on record only once no process of the turn is left. */
  readonly awaitsProcesses: boolean;
}

/** The agent's own event says the rest. */
type AgentEnd = Pick<ServerEnd<never>, "awaitsProcesses">;

const INTERRUPTED = {
  caller: "interrupted by InterruptTurn",
  prompt: "interrupted for a prompt that waited",
} as const;

function interruptedBy(by: Interrupter): string {
  return typeof by === "string" ? INTERRUPTED[by] : by.limit;
}

const ENDS: {
  readonly [K in EndCause["case"]]: K extends "agent" ? AgentEnd : ServerEnd<CauseOf<K>>;
} = {
  agent: { awaitsProcesses: false },
  noTerminal: {
    reason: ErrorReason.AGENT_PROTOCOL,
    message: () => "the agent ended without a result",
    awaitsProcesses: true,
  },
  cancel: {
    reason: ErrorReason.CANCELED,
    message: () => "canceled by CancelTurn",
    awaitsProcesses: true,
  },
  interruptBeforeRun: {
    reason: ErrorReason.CANCELED,
    message: ({ by }) => `${interruptedBy(by)} before it began`,
    awaitsProcesses: true,
  },
  prompt: {
    reason: ErrorReason.CANCELED,
    message: () => INTERRUPTED.prompt,
    awaitsProcesses: true,
  },
  turnTimeout: {
    reason: ErrorReason.TURN_TIMEOUT,
    message: ({ limitMs }) => `the turn took longer than ${limitMs / 1000} s`,
    awaitsProcesses: true,
  },
  idleTimeout: {
    reason: ErrorReason.IDLE_TIMEOUT,
    message: ({ limitMs }) => `the agent printed nothing for ${limitMs / 1000} s`,
    awaitsProcesses: true,
  },
  shutdown: {
    reason: ErrorReason.SERVER_SHUTDOWN,
    message: () => "the server was shut down",
    awaitsProcesses: true,
  },
  restart: {
    reason: ErrorReason.SERVER_RESTARTED,
    message: ({ wasQueued }) =>
      wasQueued
        ? "the server ended while the turn waited; nothing of it was run, and the session can go on"
        : "the server ended while the turn ran; what it had done until then is done, and the session can go on",
    // They are ended meanwhile, and the session's next turn waits for it.
    awaitsProcesses: false,
  },
  outputLimit: {
    reason: ErrorReason.OUTPUT_LIMIT,
    message: ({ limitBytes }) =>
      `the turn's log reached its limit of ${limitBytes} bytes (BREAKGLASS_MAX_TURN_BYTES)`,
    awaitsProcesses: true,
  },
  spendingLimit: {
    reason: ErrorReason.LIMIT_REACHED,
    message: ({ limit }) => limit,
    awaitsProcesses: true,
  },
  store: {
    reason: ErrorReason.STORAGE,
    message: ({ error }) => `the store did not take the turn's events: ${error.message}`,
    awaitsProcesses: true,
  },
  attachments: {
    reason: ErrorReason.AGENT_START_FAILED,
    message: ({ error }) =>
      `The files that came with the prompt cannot be put into the workspace: ${error.message}. Nothing was run.`,
    awaitsProcesses: true,
  },
  forgotten: {
    reason: ErrorReason.UNSUPPORTED_BY_AGENT,
    message: ({ agentKind }) =>
      `${unsupportedByAgent(agentKind, "resume").message}. Nothing was run.`,
    awaitsProcesses: true,
  },
  defect: {
    reason: ErrorReason.AGENT_PROTOCOL,
    message: () => "the server failed to follow the agent; its log has the details",
    awaitsProcesses: true,
  },
};

/** Whether the end goes on record only once no process of the turn is left. */
export function awaitsProcesses(cause: EndCause): boolean {
  return ENDS[cause.case].awaitsProcesses;
}

/**
 * The terminal event of a turn that ended by a cause.
 *
 * @param spending - What is known of usage and cost, where the event is not the agent's own.
 */
export function terminalOf(cause: EndCause, spending?: Spending): TerminalKind {
  if (cause.case === "agent") return cause.terminal;
  const { reason, message } = ENDS[cause.case] as ServerEnd<EndCause>;
  return errorEvent({ reason, message: message(cause) }, spending);
}

/** Says in an agent's terminal event for whom or what it stopped, where it did because it was asked to. */
export function nameInterrupter(terminal: TerminalKind, by: Interrupter | undefined): void {
  if (by === undefined || terminal.case !== "error") return;
  if (terminal.value.reason !== ErrorReason.CANCELED) return;
  terminal.value.message = interruptedBy(by);
  if (typeof by !== "string") terminal.value.reason = ErrorReason.LIMIT_REACHED;
}
