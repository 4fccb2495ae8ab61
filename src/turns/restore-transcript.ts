import { promisify } from "node:util";
import { crc32, zstdDecompress } from "node:zlib";
import type { RecordRestoration } from "../agent/conversation-records.ts";
import type { Store } from "../store/store.ts";
import type { TranscriptFile } from "../store/transcripts.ts";
import { SEGMENT_BYTES, type TranscriptSurroundings } from "./keep-transcript.ts";
import type { MovedSession } from "./session-moves.ts";

const decompress = promisify(zstdDecompress);

/** What is read of the store at once. */
const READ_BYTES = 1024 * 1024;

/**
 * Puts a session's conversation where its agent looks for it, as the store has it: all of it, to the byte, or nothing.
 *
 * @returns Why there is nothing to be put there, for the operator. Undefined: it is there.
 * @throws Error where it is not whole, or cannot be written; Refusal STORAGE where the store cannot be read.
 */
export async function restoreTranscript(
  { sessionKey, agentKind, conversationId, workspace }: MovedSession,
  { store, agents }: Pick<TranscriptSurroundings, "store" | "agents">,
): Promise<string | undefined> {
  if (conversationId === "") return "it has none yet";
  const records = agents.has(agentKind) ? agents.of(agentKind).records : undefined;
  if (records === undefined) return `the record of the agent ${agentKind} cannot be restored`;
  const transcript = await store.findTranscript(sessionKey);
  if (transcript?.conversationId !== conversationId) return "nothing of it was kept";
  if (transcript.refusal !== "") return `nothing of it was kept: ${transcript.refusal}`;
  await using restoration = await records.restore(conversationId, workspace);
  for (const file of transcript.files) await restoreFile(file, sessionKey, store, restoration);
  await restoration.finish();
  return undefined;
}

async function restoreFile(
  { name, generation, bytes, crc32: expected }: TranscriptFile,
  sessionKey: string,
  store: Store,
  restoration: RecordRestoration,
): Promise<void> {
  let [start, sum] = [0, 0];
  while (start < bytes) {
    const wanted = { sessionKey, file: name, generation, start };
    const segments = await store.readSegments(wanted, READ_BYTES);
    if (segments.length === 0) throw missing(name, start, bytes);
    for (const segment of segments) {
      if (segment.start !== start) throw missing(name, start, Math.min(segment.start, bytes));
      const piece = await decompress(segment.bytes, { maxOutputLength: SEGMENT_BYTES });
      if (piece.length === 0) throw missing(name, start, bytes);
      await restoration.append(name, piece);
      sum = crc32(piece, sum);
      start += piece.length;
      // What comes behind it was written by who was killed before it counted.
      if (start >= bytes) break;
    }
  }
  if (start !== bytes || sum !== expected) throw new Error(`${name} is not what was kept of it`);
}

function missing(name: string, from: number, to: number): Error {
  return new Error(`bytes ${from} to ${to} of ${name} are missing`);
}
