import type { ServeConfig } from "../config/serve-config.ts";
import type { MoveSurroundings } from "../turns/transcript-moves.ts";
import { TranscriptMoves } from "../turns/transcript-moves.ts";

/**
 * What is kept so that another server can go on with a session. Undefined, where there can be no other: on this disk the agents'
 * own records are what such a server would be given, and to write them twice would be of no use.
 *
 * Agents' records have the secrets that are to be kept off the store's: where these are, nothing of them is kept.
 */
export function createMoves(
  { redact }: Pick<ServeConfig, "redact">,
  surroundings: MoveSurroundings,
): TranscriptMoves | undefined {
  const { lease } = surroundings.store;
  if (lease.terms === undefined) return undefined;
  const keepsTranscripts = redact !== "1";
  if (!keepsTranscripts) {
    const why = "BREAKGLASS_REDACT=1: agents' records of conversations have secrets in them";
    surroundings.log.info("sessions that move to another server begin empty conversations", {
      why,
    });
  }
  return new TranscriptMoves(surroundings, keepsTranscripts);
}
