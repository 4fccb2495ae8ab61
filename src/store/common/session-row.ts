import type { AttachmentRecord, SessionRecord } from "../records.ts";
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

/** What was sent with a prompt. */
export function attachmentBytesOf(attachments: readonly AttachmentRecord[]): number {
  return attachments.reduce((sum, { size }) => sum + size, 0);
}
