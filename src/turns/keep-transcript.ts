import { isDeepStrictEqual, promisify } from "node:util";
import { crc32, zstdCompress } from "node:zlib";
import type { Agents } from "../agent/agents.ts";
import type { OpenedRecord, RecordFile } from "../agent/conversation-records.ts";
import type { Log } from "../log.ts";
import type { Store } from "../store/store.ts";
import type { Transcript, TranscriptFile } from "../store/transcripts.ts";
import type { MovedSession } from "./session-moves.ts";

const compress = promisify(zstdCompress);

/** What a segment has, before it is compressed: others' events wait for one commit, and one is in memory at a time. */
export const SEGMENT_BYTES: number = 256 * 1024;
/** What an agent's record may have, in all its files. */
export interface TranscriptBounds {
  readonly bytes: number;
  readonly files: number;
}

export const TRANSCRIPT_BOUNDS: TranscriptBounds = { bytes: 256 * 1024 * 1024, files: 1000 };

/** What transcripts are kept with. */
export interface TranscriptSurroundings {
  readonly store: Store;
  readonly agents: Agents;
  readonly log: Log;
}

/**
 * Brings what the store has of a session's conversation to what the agent has on disk. Does nothing where the agent has no
 * record, or none that can be restored.
 *
 * 1. What is kept is at any time what a file once was, up to the end of a line: a file that was not only added to is kept anew
 *    from its beginning, beside what was there, and takes its place when it is whole.
 * 2. A record that is too large is not kept, none of it, and the log says so.
 *
 * @throws Refusal as `Store.recordTranscript`; Error where the record cannot be read, or changed meanwhile.
 */
export async function keepTranscript(
  session: MovedSession,
  surroundings: TranscriptSurroundings,
  bounds: TranscriptBounds = TRANSCRIPT_BOUNDS,
): Promise<void> {
  const { agentKind, conversationId, workspace, sessionKey } = session;
  const { agents, store } = surroundings;
  const records = agents.has(agentKind) ? agents.of(agentKind).records : undefined;
  if (records === undefined || conversationId === "") return;
  const time = Date.now();
  await using record = await records.open(conversationId, workspace);
  if (record.files.length === 0) return;
  const kept = await store.findTranscript(sessionKey);
  const now = { sessionKey, conversationId, time };
  const refusal = refusalOf(record, bounds);
  if (refusal !== "") return refuse({ ...now, files: [], refusal }, kept, surroundings); // 2.
  const files: TranscriptFile[] = [];
  for (const { name } of record.files) {
    await using file = await record.openFile(name);
    const before = kept?.files.find((each) => each.name === name);
    const isSame = kept?.conversationId === conversationId;
    files.push(await keepFile(file, { sessionKey, name, before, isSame }, store));
  }
  await recordIfNew({ ...now, files, refusal }, kept, store);
}

/** Why a record is not kept; empty: it is. */
function refusalOf({ files }: OpenedRecord, bounds: TranscriptBounds): string {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (bytes > bounds.bytes) return `it has ${bytes} bytes, and ${bounds.bytes} are kept at most`;
  if (files.length <= bounds.files) return "";
  return `it has ${files.length} files, and ${bounds.files} are kept at most`;
}

async function refuse(
  transcript: Transcript,
  kept: Transcript | undefined,
  { store, log }: TranscriptSurroundings,
): Promise<void> {
  const { sessionKey, conversationId, refusal } = transcript;
  const isKnown = kept?.conversationId === conversationId && kept.refusal !== "";
  if (isKnown) return;
  await recordIfNew(transcript, kept, store);
  const message = "an agent's record of a conversation is not kept: on another server it forgets";
  log.warn(message, { sessionKey, why: refusal });
}

async function recordIfNew(
  transcript: Transcript,
  kept: Transcript | undefined,
  store: Store,
): Promise<void> {
  const { sessionKey, time } = transcript;
  if (kept !== undefined && isDeepStrictEqual({ ...kept, time }, transcript)) return;
  await store.recordTranscript(transcript, store.lease.epoch);
  const isIn = ({ name, generation }: TranscriptFile) =>
    transcript.files.some((file) => file.name === name && file.generation === generation);
  if (kept === undefined || kept.files.every(isIn)) return;
  while (await store.removeReplaced(sessionKey, store.lease.epoch));
}

/** What is known of a file before it is looked at. */
interface KnownFile {
  readonly sessionKey: string;
  readonly name: string;
  /** What is kept under its name. Undefined: nothing. */
  readonly before: TranscriptFile | undefined;
  /** That is of the same conversation. */
  readonly isSame: boolean;
}

/** Writes what a file has grown by. */
async function keepFile(
  file: RecordFile,
  { sessionKey, name, before, isSame }: KnownFile,
  store: Store,
): Promise<TranscriptFile> {
  const goesOn = isSame && before !== undefined && (await beginsWith(file, before));
  // 1.
  const generation = (before?.generation ?? 0) + (goesOn ? 0 : 1);
  let { bytes: start, crc32: sum } = goesOn ? before : { bytes: 0, crc32: 0 };
  if (goesOn && start === file.bytes) return before;
  while (start < file.bytes) {
    const piece = await file.read(start, SEGMENT_BYTES);
    const bytes = await compress(piece);
    const segment = { sessionKey, file: name, generation, start, bytes };
    await store.recordSegment(segment, store.lease.epoch);
    sum = crc32(piece, sum);
    start += piece.length;
  }
  const whole = { name, generation, bytes: start, crc32: sum };
  // 1. Before it was looked at first it had grown, and may since have become another.
  if (!(await beginsWith(file, whole))) throw new Error(`${name} was rewritten while it was read`);
  return whole;
}

/** Whether a file begins with what is kept of it. */
async function beginsWith(file: RecordFile, kept: TranscriptFile): Promise<boolean> {
  if (kept.bytes > file.bytes) return false;
  let sum = 0;
  for (let position = 0; position < kept.bytes; ) {
    const piece = await file.read(position, Math.min(SEGMENT_BYTES, kept.bytes - position));
    sum = crc32(piece, sum);
    position += piece.length;
  }
  return sum === kept.crc32;
}
