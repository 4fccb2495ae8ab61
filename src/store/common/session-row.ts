import { notFound } from "../../errors.ts";
import type { AttachmentRecord, SessionRecord } from "../records.ts";
import type { SnapshotState } from "../snapshots.ts";
import type { Row } from "./row.ts";
import { spendingOf } from "./spending.ts";

export function sessionOf(row: Row): SessionRecord {
  return {
    sessionId: String(row.session_id),
    sessionKey: String(row.session_key),
    principal: String(row.principal),
    agentKind: String(row.agent_kind),
    agent: String(row.agent),
    model: String(row.model),
    createTime: Number(row.create_time),
    lastActiveTime: Number(row.last_active_time),
    runningTurnId: String(row.running_turn_id),
    queuedTurnId: String(row.queued_turn_id),
    turnCount: Number(row.turn_count),
    changeCount: Number(row.change_count),
    workspace: String(row.workspace),
    home: String(row.home),
    isMoved: Boolean(row.is_moved),
    agentSessionId: String(row.agent_session_id),
    ...spendingOf(row),
  };
}

/** Of a session's row, with its newest turn. @throws Refusal NOT_FOUND where there is none. */
export function snapshotOf(row: Row | undefined): SnapshotState {
  if (row === undefined) throw notFound("session");
  const key = String(row.snapshot_key);
  const snapshot = key === "" ? undefined : { key, time: Number(row.snapshot_time) };
  return { snapshot, newestTurnId: String(row.turn_id ?? "") };
}

/** What was sent with a prompt. */
export function attachmentBytesOf(attachments: readonly AttachmentRecord[]): number {
  return attachments.reduce((sum, { size }) => sum + size, 0);
}
