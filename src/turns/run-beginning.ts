import { mkdir } from "node:fs/promises";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { NoticeEventSchema, NoticeReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { Agent, AgentRun, AgentTurn, EventKind } from "../agent/agent.ts";
import { giveDirectory, type Owner } from "../files/owner.ts";
import type { SessionRecord, TurnRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { TraceContext } from "../trace-context.ts";
import type { Attachment } from "../turn-requests.ts";
import { placeAttachments, takeBackAttachments } from "./attachments.ts";
import type { EndCause } from "./end-causes.ts";
import { recalledFor } from "./recollection.ts";
import type { BroughtSession, MovedSession } from "./session-moves.ts";
import type { TurnLog } from "./turn-log.ts";

/** How a turn gets its run: from the agent, once its session is ready, or it is the agent's own work. */
export type TurnBeginning = AskedBeginning | { readonly run: AgentRun };

/** A caller's turn begins so. */
export interface AskedBeginning {
  readonly ready: Promise<unknown>;
  /** As it was sent: on record it may lack secrets. */
  readonly prompt: string;
  readonly attachments: readonly Attachment[];
  /** The agent is to be told of the session's earlier turns. */
  readonly recall: boolean;
  /** The trace that it is part of. Undefined: none. */
  readonly trace: TraceContext | undefined;
}

/** A turn that waits to be run. */
export interface WaitingTurn {
  readonly turn: TurnRecord;
  readonly session: SessionRecord;
  readonly log: TurnLog;
  readonly agent: Agent;
  readonly store: Store;
  /** Whose the workspace is. Undefined: the server's own. */
  readonly filesOwner: Owner | undefined;
  /** Aborts when the turn begins to end. */
  readonly ending: AbortSignal;
  end(cause: EndCause): unknown;
  /** Puts an event on record before the agent's first. */
  tell(kind: EventKind): void;
  /** Brings what there was of its session on another server. The session takes no other turn before that is over. */
  bring(): Promise<BroughtSession>;
  /** Has the agent run it. */
  run(turn: AgentTurn): void;
}

/** Waits until the session is ready and has the agent run the turn, unless that ends meanwhile. */
export async function beginRun(
  { ready, prompt: asked, attachments, recall }: Omit<AskedBeginning, "trace">,
  waiting: WaitingTurn,
): Promise<void> {
  const { turn, session, log, agent, store, filesOwner, ending, end, tell, run } = waiting;
  const { turnId, sessionKey } = turn;
  const { workspace, agentKind, agentSessionId } = session;
  await Promise.race([ready, onAbort(ending)]);
  if (ending.aborted) return;
  // It was not when the turn was recorded, or the turn would have been refused.
  if (isForgotten(session, agent)) return void end({ case: "forgotten", agentKind });
  if (session.isMoved) {
    const brought = await Promise.race([waiting.bring(), onAbort(ending)]);
    if (ending.aborted || brought === undefined) return;
    tell(movedNotice(brought));
    // Where that fails it is brought, and told, once more.
    await store.recordBrought(sessionKey, log.epoch).catch(() => {});
    if (ending.aborted) return;
  }
  // A mistake here (a file in its place, no permission) is for the agent to find and to explain.
  const made = await mkdir(workspace, { recursive: true, mode: 0o700 }).catch(() => {});
  if (filesOwner !== undefined) await giveDirectory(workspace, filesOwner).catch(() => {});
  const hasHistory = session.turnCount > 1;
  let placed: Pick<AgentTurn, "images" | "files">;
  try {
    placed = await placeAttachments(workspace, turnId, attachments, ending, filesOwner);
  } catch (error) {
    return void end({ case: "attachments", error: error as Error });
  }
  const wasQueued = log.state === TurnState.QUEUED;
  if (wasQueued && !ending.aborted) await log.begin();
  const recalled = recall ? await recalledFor(waiting) : undefined;
  if (ending.aborted) return takeBackAttachments(workspace, turnId, attachments);
  if (!session.isMoved && hasLostConversation(session, agent)) tell(lostNotice());
  if (recalled !== undefined) tell(recalled.notice);
  const { model, agent: definition, permissionMode } = turn;
  const ids = { turnId, sessionKey, agentSessionId };
  // At once, so that whoever ends the turn finds it.
  const isWorkspaceRestored = made !== undefined && hasHistory;
  const found = { hasHistory, isWorkspaceRestored };
  const prompt = `${recalled?.text ?? ""}${asked}`;
  const what = { prompt, ...placed, model, agent: definition, permissionMode };
  run({ ...ids, ...found, workspace, ...what });
}

/** Whether the agent cannot go on with the session, though it has had a turn. */
function isForgotten({ sessionKey, changeCount }: SessionRecord, agent: Agent): boolean {
  const canGoOn = agent.capabilities.resume || changeCount <= 1;
  return !canGoOn && !agent.rememberedSessions().includes(sessionKey);
}

/** A session as what is kept of it is found by. */
export function movedOf({
  agentSessionId: conversationId,
  ...session
}: Omit<MovedSession, "conversationId"> & Pick<SessionRecord, "agentSessionId">): MovedSession {
  const { sessionId, sessionKey, agentKind, workspace } = session;
  return { sessionId, sessionKey, agentKind, conversationId, workspace };
}

function movedNotice({ remembers, snapshotTime }: BroughtSession): EventKind {
  const workspace =
    snapshotTime === undefined
      ? "its workspace is lost, and this one is empty"
      : `its workspace is as it was when the last snapshot was taken, at ${snapshotTime.toISOString()}`;
  const memory = remembers
    ? "its agent goes on with its conversation"
    : "its agent does not remember what came before";
  const message = `The server that the session was at home on is gone, and it goes on at another one: ${workspace}; ${memory}`;
  const value = create(NoticeEventSchema, {
    ...{ reason: NoticeReason.SESSION_MOVED, message, remembers },
    ...(snapshotTime && { snapshotTime: timestampFromDate(snapshotTime) }),
  });
  return { case: "notice", value };
}

/** Whether the session has had a turn of which no conversation is known: it ended before its agent had given an id. */
function hasLostConversation(session: SessionRecord, agent: Agent): boolean {
  return agent.capabilities.resume && session.agentSessionId === "" && session.changeCount > 1;
}

function lostNotice(): EventKind {
  const message =
    "The session's agent had not told which conversation it held when it ended: it begins an empty one, and does not remember what came before";
  const value = create(NoticeEventSchema, { reason: NoticeReason.CONVERSATION_RESET, message });
  return { case: "notice", value };
}

function onAbort(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}
