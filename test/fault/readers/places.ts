import { holdStreams } from "./holder.ts";

/**
 * Waits until so many streams of a turn can be open at the same time, and lets go of them. Resolves with what is wrong:
 * nothing where they all were within `withinMs`. On a server that allows no more than so many, nobody else is left then.
 */
export async function faultsOfPlaces(
  url: string,
  turnIds: readonly string[],
  places: number,
  withinMs: number,
): Promise<string[]> {
  const connections = Math.ceil(places / 100);
  const plan = { url, http: 2, turnIds, streams: places, connections, reads: true } as const;
  try {
    await using holder = await holdStreams(plan, { withinMs });
    await holder.cut("destroy");
    return [];
  } catch (error) {
    return [`not all places became free: ${(error as Error).message}`];
  }
}
