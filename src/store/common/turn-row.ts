import type { ErrorReason, TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import type { PermissionMode, TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import { cutText } from "../../stream/cut-text.ts";
import type { AttachmentRecord, TurnRecord } from "../records.ts";
import type { Row } from "./row.ts";
import { spendingOf } from "./spending.ts";

/** A turn from its row and its session's id, with its prompt cut to a number of bytes. */
export function turnOf(row: Row, promptBytes: number): TurnRecord {
  const whole = String(row.prompt);
  const prompt = cutText(whole, promptBytes);
  const endTime = row.end_time;
  return {
    turnId: String(row.turn_id),
    sessionId: String(row.session_id),
    sessionKey: String(row.session_key),
    state: row.state as TurnState,
    errorReason: row.error_reason as ErrorReason,
    prompt,
    promptTruncated: prompt.length < whole.length || Boolean(row.prompt_cut),
    principal: String(row.principal),
    sessionPrincipal: String(row.session_principal),
    model: String(row.model),
    agent: String(row.agent),
    lastSequence: Number(row.last_sequence),
    createTime: Number(row.create_time),
    endTime: endTime === null ? undefined : Number(endTime),
    origin: row.origin as TurnOrigin,
    causeTurnId: String(row.cause_turn_id),
    permissionMode: row.permission_mode as PermissionMode,
    permissionDenialCount: Number(row.permission_denial_count),
    attachments: JSON.parse(String(row.attachments)) as AttachmentRecord[],
    epoch: Number(row.epoch),
    ...spendingOf(row),
  };
}
