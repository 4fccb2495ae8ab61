import type { SQLOutputValue } from "node:sqlite";
import type { ErrorReason, TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { cutText } from "../../stream/cut-text.ts";
import type { SessionRecord, TurnRecord } from "../store.ts";

type Row = Record<string, SQLOutputValue>;

/** GetTurn's answer must fit into a response: a longer prompt is cut. */
const WHOLE_PROMPT_BYTES = 2_900_000;

/** A session from its row. */
export function sessionOf(row: Row): SessionRecord {
  return {
    sessionId: String(row.session_id),
    principal: String(row.principal),
    agent: String(row.agent),
    model: String(row.model),
    createTime: Number(row.create_time),
    lastActiveTime: Number(row.last_active_time),
    runningTurnId: String(row.running_turn_id),
    turnCount: Number(row.turn_count),
    workspace: String(row.workspace),
    agentSessionId: String(row.agent_session_id),
  };
}

/** A turn from its row, with its prompt cut to a number of bytes. */
export function turnOf(row: Row, promptBytes: number = WHOLE_PROMPT_BYTES): TurnRecord {
  const whole = String(row.prompt);
  const prompt = cutText(whole, promptBytes);
  const endTime = row.end_time;
  return {
    turnId: String(row.turn_id),
    sessionId: String(row.session_id),
    state: row.state as TurnState,
    errorReason: row.error_reason as ErrorReason,
    prompt,
    promptTruncated: prompt.length < whole.length || Boolean(row.prompt_cut),
    principal: String(row.principal),
    model: String(row.model),
    agent: String(row.agent),
    lastSequence: Number(row.last_sequence),
    createTime: Number(row.create_time),
    endTime: endTime === null ? undefined : Number(endTime),
  };
}
