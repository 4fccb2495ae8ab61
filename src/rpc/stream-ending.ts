import type { StreamEnding } from "../edge/stream-ending.ts";
import { Refusal } from "../errors.ts";

/** Whoever was cut off may come back at once: it reads on where it was. */
const RETRY_MS = 1000;

/** Ends a stream so that its reader can go on: `sequence` is the last that it was given. */
export function streamEnded(ending: StreamEnding, turnId: string, sequence: number): Refusal {
  const message = `${ending.message}; attach after ${sequence} to go on`;
  const metadata = { turn_id: turnId, sequence: String(sequence) };
  return new Refusal("STREAM_ENDED", message, { metadata, retryAfterMs: RETRY_MS });
}

/** Ends a watch of turns so that it can go on from its cursor. */
export function turnWatchEnded(ending: StreamEnding, cursor: number): Refusal {
  const message = `${ending.message}; watch after ${cursor} to go on`;
  const metadata = { cursor: String(cursor) };
  return new Refusal("STREAM_ENDED", message, { metadata, retryAfterMs: RETRY_MS });
}

/** Ends a reading of the audit so that it can go on: `sequence` is that of the last record that it was given. */
export function auditEnded(ending: StreamEnding, sequence: number): Refusal {
  const message = `${ending.message}; export after ${sequence} to go on`;
  const metadata = { sequence: String(sequence) };
  return new Refusal("STREAM_ENDED", message, { metadata, retryAfterMs: RETRY_MS });
}

/** Ends a watch of a session so that it can go on from its cursor. */
export function watchEnded(ending: StreamEnding, sessionId: string, cursor: number): Refusal {
  const message = `${ending.message}; watch after ${cursor} to go on`;
  const metadata = { session_id: sessionId, cursor: String(cursor) };
  return new Refusal("STREAM_ENDED", message, { metadata, retryAfterMs: RETRY_MS });
}
