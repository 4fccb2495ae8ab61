import type { Transcript, TranscriptFile, UnkeptSession } from "../transcripts.ts";
import type { Row } from "./row.ts";

/** What one piece of a removal may cost: other turns' events wait for it. */
export const PIECE_BYTES: number = 256 * 1024;
/** What a row costs to remove beside its bytes. */
export const ROW_BYTES = 256;

export function transcriptOf(row: Row): Transcript {
  return {
    sessionKey: String(row.session_key),
    conversationId: String(row.conversation_id),
    files: JSON.parse(String(row.files)) as TranscriptFile[],
    refusal: String(row.refusal),
    time: Number(row.time),
  };
}

export function unkeptOf(row: Row): UnkeptSession {
  return {
    sessionId: String(row.session_id),
    sessionKey: String(row.session_key),
    agentKind: String(row.agent_kind),
    agentSessionId: String(row.agent_session_id),
    workspace: String(row.workspace),
  };
}

/** Whether a segment's file is one of a transcript's. */
export function isOf(transcript: Transcript | undefined, row: Row): boolean {
  const found = transcript?.files.find(({ name }) => name === row.file);
  return found?.generation === Number(row.generation);
}
