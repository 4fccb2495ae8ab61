import { mkdir } from "node:fs/promises";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { AgentRun, AgentTurn } from "../agent/agent.ts";
import type { SessionRecord, TurnRecord } from "../store/store.ts";
import { type Attachment, placeAttachments, takeBackAttachments } from "./attachments.ts";
import type { EndCause } from "./end-causes.ts";
import type { TurnLog } from "./turn-log.ts";

/** How a turn gets its run: from the agent, once its session is ready, or it is the agent's own work. */
export type TurnBeginning = AskedBeginning | { readonly run: AgentRun };

/** A caller's turn begins so. */
export interface AskedBeginning {
  readonly ready: Promise<unknown>;
  readonly attachments: readonly Attachment[];
}

/** A turn that waits to be run. */
export interface WaitingTurn {
  readonly turn: TurnRecord;
  readonly session: SessionRecord;
  readonly log: TurnLog;
  /** Aborts when the turn begins to end. */
  readonly ending: AbortSignal;
  end(cause: EndCause): unknown;
  /** Has the agent run it. */
  run(turn: AgentTurn): void;
}

/** Waits until the session is ready and has the agent run the turn, unless that ends meanwhile. */
export async function beginRun(
  { ready, attachments }: AskedBeginning,
  { turn, session, log, ending, end, run }: WaitingTurn,
): Promise<void> {
  const { turnId, sessionKey } = turn;
  const { workspace, agentSessionId } = session;
  await Promise.race([ready, onAbort(ending)]);
  if (ending.aborted) return;
  // A mistake here (a file in its place, no permission) is for the agent to find and to explain.
  const made = await mkdir(workspace, { recursive: true, mode: 0o700 }).catch(() => {});
  const hasHistory = session.turnCount > 1;
  let placed: Pick<AgentTurn, "images" | "files">;
  try {
    placed = await placeAttachments(workspace, turnId, attachments, ending);
  } catch (error) {
    return void end({ case: "attachments", error: error as Error });
  }
  const wasQueued = log.state === TurnState.QUEUED;
  if (wasQueued && !ending.aborted) await log.begin();
  if (ending.aborted) return takeBackAttachments(workspace, turnId, attachments);
  const { prompt, model, agent, permissionMode } = turn;
  const ids = { turnId, sessionKey, agentSessionId };
  // At once, so that whoever ends the turn finds it.
  const isWorkspaceRestored = made !== undefined && hasHistory;
  const found = { hasHistory, isWorkspaceRestored };
  run({ ...ids, ...found, workspace, prompt, ...placed, model, agent, permissionMode });
}

function onAbort(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}
