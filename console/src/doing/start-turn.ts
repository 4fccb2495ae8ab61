import { type BreakglassClient, streamTurn, type TurnToRead } from "@breakglass/client";

type Run = Extract<TurnToRead, { run: unknown }>["run"];

/** Starts a turn, never twice, and answers with its id once it is on record. It is read by its own view. */
export async function startTurn(client: BreakglassClient, run: Run): Promise<string> {
  for await (const { turnId } of streamTurn(client, { run })) return turnId;
  throw new Error("the turn's stream said nothing");
}
