import type { BreakglassClient } from "#client";
import { streamTurn } from "#client";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";

/**
 * The events of a turn that are on record now, and the checkpoints between them; of one that goes on too, which is not waited
 * for.
 *
 * @throws as {@link streamTurn}.
 */
export async function* eventsSoFar(
  client: BreakglassClient,
  turnId: string,
  signal: AbortSignal,
): AsyncGenerator<TurnEvent> {
  const attach = { turnId, afterSequence: 0, textDeltas: false };
  for await (const event of streamTurn(client, { attach }, { signal })) {
    yield event;
    if (event.kind.case === "checkpoint" && event.kind.value.caughtUp) return;
  }
}
