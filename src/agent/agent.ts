import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { TraceContext } from "../trace-context.ts";
import type { ApprovalAnswer } from "../turn-requests.ts";
import type { AgentCapabilities } from "./capabilities.ts";
import type { ConversationRecords } from "./conversation-records.ts";
import type { AgentInspection } from "./inspection.ts";
import type { ProcessCounts } from "./process-counts.ts";

/** What happened, without its place in a turn: the turn gives it a sequence, ids and a time. */
export type EventKind = Exclude<TurnEvent["kind"], { case: undefined }>;

/** An event that ends a turn. */
export type TerminalKind = Extract<EventKind, { case: "result" | "error" }>;

/** Whether an event ends its turn. */
export function isTerminal(kind: TurnEvent["kind"]): kind is TerminalKind {
  return kind.case === "result" || kind.case === "error";
}

/** An image that the model is shown. */
export interface AgentImage {
  readonly mediaType: string;
  readonly data: Uint8Array;
}

/** Everything that an agent needs to know of a turn to run it. */
export interface AgentTurn {
  readonly turnId: string;
  /** The session, by a key that no other ever has: an agent may keep a process for it from one turn to the next. */
  readonly sessionKey: string;
  /** The directory that the agent works in. It exists. */
  readonly workspace: string;
  /**
   * The agent's own id of the conversation, as it is on record: what the agent gave last, or else what it chose for the
   * session (`chooseConversation`), to open it under. Empty: the conversation is to be opened, and the agent gives its id.
   */
  readonly agentSessionId: string;
  /** The session has turns before this one: where the agent remembers nothing of them, it tells so. Unset: it has none. */
  readonly hasHistory?: boolean;
  /** The session's workspace was gone, and was made anew: the agent tells so. */
  readonly isWorkspaceRestored?: boolean;
  /** What the agent is asked; always literal text. */
  readonly prompt: string;
  /** What the model is shown with the prompt. */
  readonly images: readonly AgentImage[];
  /** Files that came with the prompt and lie in the workspace: their paths in it, which the agent is told of. */
  readonly files: readonly string[];
  /** The model's name, as the agent takes it. */
  readonly model: string;
  /** The name of the agent definition. */
  readonly agent: string;
  /** What the agent may do by itself; never unspecified. */
  readonly permissionMode: PermissionMode;
  /**
   * The trace that what it does is part of: a process that is started for the turn finds it in its environment
   * (`traceVariables`). One that was there before does not hear of it. Undefined: none.
   */
  readonly trace?: TraceContext | undefined;
}

/** A process that waits, already up, is kept for a session that is to be opened. */
export interface SpareReservation {
  /** The workspace that the process works in, which the session is to have. It exists. */
  readonly workspace: string;
  /** The conversation in it, which the session is to have. Empty: the agent gives its id later. */
  readonly agentSessionId: string;
  /** Gives it back, where the session is not opened after all. Idempotent; nothing once its turn was started. */
  release(): void;
}

/** Work that an agent began without being asked, as when a task that it left in the background ended. */
export interface OwnWork {
  readonly sessionKey: string;
  /** The turn that left behind what it follows up. Empty: unknown. */
  readonly causeTurnId: string;
  /** The turn that its process took last, which has been given its terminal event. Empty: none. */
  readonly lastTurnId: string;
  readonly model: string;
  readonly agent: string;
  readonly permissionMode: PermissionMode;
  readonly run: AgentRun;
  /** It gets no turn of its own: it becomes part of the session's next one. Only before `run.events` is read. */
  decline(): void;
}

/** An agent that runs turns. */
export interface Agent {
  /** What it can do. Does not change. */
  readonly capabilities: AgentCapabilities;
  /**
   * Where its record of conversations lies, and how one is put back. Left out: none can be, and a session that moves to
   * another machine begins an empty conversation there.
   */
  readonly records?: ConversationRecords;
  /** Looks at its program, and calls no model. Takes some seconds at most. Never rejects. */
  inspect(): Promise<AgentInspection>;
  /** The agent definition and the model of sessions that name none. */
  readonly defaults: { readonly agent: string; readonly model: string };
  /**
   * The id of a conversation that is to be opened, for an agent that opens one under an id that it is given: it is on record
   * before anything is started, and found again whatever is killed. Empty: the agent gives its own when it answers, and what
   * is killed before that is lost.
   */
  chooseConversation(): string;
  /**
   * The sessions whose conversation a process holds that lives, by their keys: without the capability `resume` these are all
   * that the agent can go on with.
   */
  rememberedSessions(): readonly string[];
  /** Starts a turn. Never throws: what goes wrong is the run's terminal event. At most one at a time in a session. */
  start(turn: AgentTurn): AgentRun;
  /**
   * Has `accept` called whenever the agent begins work of its own; it answers with the id of the turn that the work becomes,
   * or is to become. Where nobody listens it is part of the session's next turn.
   */
  onOwnWork(accept: (work: OwnWork) => string): void;
  /** Keeps a process for a session that is to be opened; undefined where none is ready that fits. */
  reserve(agent: string, model: string, mode: PermissionMode): SpareReservation | undefined;
  /** Starts what is to wait for new sessions. Each waits in a workspace of its own, made by `makeWorkspace`. */
  prepare(makeWorkspace: () => Promise<string>): void;
  /** Ends the session's process, if it has one and no turn is running. Resolves when no process is left. Never rejects. */
  close(sessionKey: string): Promise<void>;
  /** Ends every process that no turn is using, and keeps none from now on. Resolves when they are gone. Never rejects. */
  closeIdle(): Promise<void>;
  /** How many processes there are now. Left out: the agent has none to tell of. */
  processCounts?(): ProcessCounts;
  /** Kills what can be killed of all processes at once, for a server that ends without waiting. */
  killNow(): void;
  /**
   * Whether a conversation that the agent may have is one of its own sessions' in that workspace: not begun elsewhere, by
   * somebody else or by another session. Whether another session has it on record is not looked at.
   */
  isOwnConversation(
    agentSessionId: string,
    sessionKey: string,
    workspace: string,
  ): Promise<boolean>;
  /**
   * Removes what the agent itself keeps of a session's conversations, which were held in its workspace.
   *
   * @throws Error that says what is left.
   */
  forget(agentSessionIds: readonly string[], workspace: string): Promise<void>;
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
   * an `error` that says how it failed, CANCELED where it obeyed an `interrupt`. Nothing follows it, whatever the agent
   * still prints. `textDelta` events are among them, in their place; an empty one says that those before it are void, and
   * that what follows does not go on from them.
   *
   * An `approvalRequest` is without its `expireTime`, which is the turn's to give, and waits for `answer`. An
   * `approvalResolution`, which is always WITHDRAWN, says that the agent waits no longer.
   *
   * To be read once. It reads no faster than it is asked.
   */
  readonly events: AsyncIterable<EventKind[]>;
  /**
   * The agent's own id of the conversation as the agent last gave it; it can differ from the one asked for, which it is until
   * the agent gives one. With the capability `resume` it is given before the turn's terminal event, if the agent came up.
   */
  readonly agentSessionId: string;
  /** What is known so far of usage and cost, for a turn that ends without a result, and for one whose cost is watched. */
  readonly spending: Spending;
  /**
   * How many calls of the model have begun to answer, those of subagents included. Grows before the batch is given that the
   * call's first words are in. Undefined: the agent does not tell.
   */
  readonly modelTurns?: number;
  /** Whether the agent waits for its model, and not for a tool or an answer: its silence is then the model's. */
  readonly waitsForModel: boolean;
  /**
   * Resolves when the session can take its next turn: nothing of this one runs on but what the agent keeps for the session.
   * Never rejects.
   */
  readonly released: Promise<void>;
  /**
   * Has `spending` tell what the turn costs while it runs, as soon as may be after each call of the model; a batch, perhaps an
   * empty one, comes behind whatever is told anew. To be called before `events` is read. Left out: it tells at its results alone.
   */
  watchCost?(): void;
  /** Asks the agent to stop what it does, soon; its process lives on. Idempotent. Whether it obeys, `events` tells. */
  interrupt(): void;
  /**
   * Hands the agent another message, to be taken up in this turn. Answers false, having done nothing, where the turn has
   * been given its terminal event. Not called without the capability `steer`.
   */
  steer(message: string): boolean;
  /**
   * Answers an `approvalRequest`. An id that is not waited for is ignored. Without the capability `changedInput` no input is
   * given.
   */
  answer(approvalId: string, answer: ApprovalAnswer): void;
  /**
   * Ends the turn's processes by a ladder of bounded rungs, from asking to killing. Resolves when none is left. Idempotent.
   */
  stop(): Promise<void>;
}

/** Usage and cost, as far as an agent has told. */
export type Spending = Pick<
  Extract<EventKind, { case: "error" }>["value"],
  "usage" | "totalCostUsd"
>;
