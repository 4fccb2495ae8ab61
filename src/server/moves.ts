import type { ServeConfig } from "../config/serve-config.ts";
import { type RecoveredMoves, SnapshotMoves } from "../snapshots/snapshot-moves.ts";
import { WorkspaceSnapshots } from "../snapshots/workspace-snapshots.ts";
import { type MoveSurroundings, TranscriptMoves } from "../turns/transcript-moves.ts";

/** A snapshot that takes longer is given up. */
const LONGEST_MS = 15 * 60_000;

/**
 * What is kept so that another server can go on with a session. Undefined, where there can be no other: on this disk the agents'
 * own records are what such a server would be given, and to write them twice would be of no use.
 */
export function createMoves(
  config: ServeConfig,
  surroundings: MoveSurroundings,
): RecoveredMoves | undefined {
  const { store, log, filesOwner } = surroundings;
  if (store.lease.terms === undefined) return undefined;
  const conversations = createTranscripts(config, surroundings);
  const { snapshotAddress: address } = config;
  if (address === undefined) return conversations;
  const limits = {
    maxBytes: config.snapshotMaxBytes,
    bytesPerSecond: config.snapshotBytesPerSecond,
    longestMs: LONGEST_MS,
  };
  const intervalMs = config.snapshotIntervalMs;
  const snapshots = new WorkspaceSnapshots({ store, log, address, limits, intervalMs, filesOwner });
  return new SnapshotMoves(conversations, snapshots, store, log);
}

/** Agents' records have the secrets that are to be kept off the store's: where these are, nothing of them is kept. */
function createTranscripts(
  { redact }: ServeConfig,
  surroundings: MoveSurroundings,
): TranscriptMoves {
  const keeps = redact !== "1";
  if (!keeps) {
    const why = "BREAKGLASS_REDACT=1: agents' records of conversations have secrets in them";
    surroundings.log.info("sessions that move to another server begin empty conversations", {
      why,
    });
  }
  return new TranscriptMoves(surroundings, keeps);
}
