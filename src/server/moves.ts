import type { MoveSurroundings } from "../turns/transcript-moves.ts";
import { TranscriptMoves } from "../turns/transcript-moves.ts";

/**
 * What is kept so that another server can go on with a session. Undefined, where there can be no other: on this disk the agents'
 * own records are what such a server would be given, and to write them twice would be of no use.
 */
export function createMoves(surroundings: MoveSurroundings): TranscriptMoves | undefined {
  const { terms } = surroundings.store.lease;
  return terms === undefined ? undefined : new TranscriptMoves(surroundings);
}
