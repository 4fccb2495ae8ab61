import type { SQLOutputValue } from "node:sqlite";
import type { ErrorReason, TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import type { PermissionMode, TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import { cutText } from "../../stream/cut-text.ts";
import type { AttachmentRecord, SessionRecord, SpendingRecord, TurnRecord } from "../store.ts";

type Row = Record<string, SQLOutputValue>;

/** GetTurn's answer must fit into a response: a longer prompt is cut. */
const WHOLE_PROMPT_BYTES = 2_900_000;

/** A session from its row. */
export function sessionOf(row: Row): SessionRecord {
  return {
    sessionId: String(row.session_id),
    sessionKey: String(row.session_key),
    principal: String(row.principal),
    agent: String(row.agent),
    model: String(row.model),
    createTime: Number(row.create_time),
    lastActiveTime: Number(row.last_active_time),
    runningTurnId: String(row.running_turn_id),
    queuedTurnId: String(row.queued_turn_id),
    turnCount: Number(row.turn_count),
    changeCount: Number(row.change_count),
    workspace: String(row.workspace),
    agentSessionId: String(row.agent_session_id),
    ...spendingOf(row),
  };
}

/** A turn from its row and its session's id, with its prompt cut to a number of bytes. */
export function turnOf(row: Row, promptBytes: number = WHOLE_PROMPT_BYTES): TurnRecord {
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
    ...spendingOf(row),
  };
}

/** The columns of what was used, as a list in SQL and in the order of `spendingValues`. */
export const SPENDING_COLUMNS = [
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "cache_creation_input_tokens",
  "total_cost_usd",
] as const;

/** More would not be read back as a number, and no model reads half as many tokens. */
export const MOST_TOKENS = 2n ** 53n - 1n;

/** The values of `SPENDING_COLUMNS`. */
export function spendingValues({ usage, totalCostUsd }: SpendingRecord): (number | null)[] {
  const count = (tokens: bigint | undefined) =>
    tokens === undefined ? null : Number(tokens < MOST_TOKENS ? tokens : MOST_TOKENS);
  return [
    count(usage?.inputTokens),
    count(usage?.outputTokens),
    count(usage?.cacheReadInputTokens),
    count(usage?.cacheCreationInputTokens),
    // SQLite takes NaN for NULL: a turn that cannot be told what it cost would never end.
    Number.isFinite(totalCostUsd) ? totalCostUsd : 0,
  ];
}

function spendingOf(row: Row): SpendingRecord {
  const totalCostUsd = Number(row.total_cost_usd);
  if (row.input_tokens === null) return { usage: undefined, totalCostUsd };
  const [inputTokens, outputTokens, cacheReadInputTokens, cacheCreationInputTokens] =
    SPENDING_COLUMNS.slice(0, 4).map((column) => BigInt(row[column] as number));
  return {
    usage: {
      inputTokens: inputTokens!,
      outputTokens: outputTokens!,
      cacheReadInputTokens: cacheReadInputTokens!,
      cacheCreationInputTokens: cacheCreationInputTokens!,
    },
    totalCostUsd,
  };
}
