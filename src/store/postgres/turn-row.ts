import { LISTED_PROMPT_BYTES } from "../common/list-bounds.ts";
import type { Row } from "../common/row.ts";
import { SPENDING_COLUMNS } from "../common/spending.ts";
import { turnOf as turnOfTexts } from "../common/turn-row.ts";
import type { TurnRecord } from "../records.ts";

/** Recorded when the turn ends: until then it is its newest event's, so that an append need not write the turn's row too. */
export const LAST_SEQUENCE = `CASE WHEN turns.end_time IS NULL
  THEN coalesce((SELECT max(sequence) FROM events WHERE events.turn_id = turns.turn_id), 0) ELSE turns.end_sequence END AS last_sequence`;

/** A turn without its prompt and its session's id. */
const COLUMNS = `turn_key, turns.turn_id, turns.session_key, state, error_reason, turns.principal, session_principal, turns.model,
  turns.agent, ${LAST_SEQUENCE}, turns.create_time, end_time, origin, cause_turn_id, permission_mode, permission_denial_count,
  attachments, turns.epoch, ${SPENDING_COLUMNS.map((column) => `turns.${column}`).join(", ")}`;

/** A turn, without its session's id. */
export const WHOLE_COLUMNS = `${COLUMNS}, prompt, false AS prompt_cut`;
/** A turn, without a long prompt and without its session's id. */
export const LISTED_COLUMNS = `${COLUMNS}, substring(prompt FROM 1 FOR ${LISTED_PROMPT_BYTES}) AS prompt,
  octet_length(prompt) > ${LISTED_PROMPT_BYTES} AS prompt_cut`;

/** A turn from its row and its session's id, with its prompt cut to a number of bytes. */
export function turnOf(row: Row, promptBytes: number): TurnRecord {
  const prompt = decoded(row.prompt as Uint8Array, Boolean(row.prompt_cut));
  return turnOfTexts({ ...row, prompt, prompt_cut: Number(row.prompt_cut) }, promptBytes);
}

/** A text of its bytes. Of those that were cut the last may be a part of a character, which is left out. */
export function decoded(bytes: Uint8Array, isCut: boolean): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes, { stream: isCut });
}
