import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  AttachTurnRequestSchema,
  RunTurnRequestSchema,
} from "../../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { TurnEvent } from "../../../gen/breakglass/v1/event_pb.ts";
import type { BreakglassClient } from "./breakglass-client.ts";
import { isLive } from "./turn-state.ts";

/** Which turn to read: a new one, or one that was started before. */
export type TurnToRead =
  | { readonly run: MessageInitShape<typeof RunTurnRequestSchema> }
  | { readonly attach: MessageInitShape<typeof AttachTurnRequestSchema> };

/** @throws TypeError for what no type checker has seen. */
export function refuseNeither(turn: Partial<Record<"run" | "attach", unknown>>): void {
  const asked = turn.run ?? turn.attach;
  if (typeof asked === "object" && asked !== null) return;
  throw new TypeError(
    "which turn to read is { run: RunTurnRequest } for a new one or { attach: AttachTurnRequest } for one that is there",
  );
}

/** A stream ended well, but its turn has not: something between the server and here cut it. */
export class StreamCutError extends Error {
  override readonly name = "StreamCutError";
}

/**
 * Reads one turn: its events as the server sends them, checkpoints included. Ends after the terminal event, or after the
 * checkpoint of a turn that had ended before. Leaving the loop, or `signal`, ends the reading, never the turn.
 *
 * It does not come back by itself: a connection that breaks is a ConnectError.
 *
 * @throws ConnectError where the server refuses or the connection breaks; also, with code Canceled, where `signal` aborts.
 * @throws StreamCutError where the stream ends before its turn.
 */
export async function* readTurnEvents(
  client: BreakglassClient,
  turn: TurnToRead,
  signal?: AbortSignal,
): AsyncGenerator<TurnEvent, void, undefined> {
  refuseNeither(turn);
  const options = signal === undefined ? {} : { signal };
  const responses =
    "run" in turn ? client.runTurn(turn.run, options) : client.attachTurn(turn.attach, options);
  let ended = false;
  for await (const { event } of responses) {
    if (event === undefined) continue;
    ended = endsTurn(event);
    yield event;
  }
  if (!ended) throw new StreamCutError("the stream ended before its turn");
}

/** Whether nothing of the turn can follow: its terminal event, or a checkpoint that says that it has ended. */
export function endsTurn({ kind }: TurnEvent): boolean {
  if (kind.case === "checkpoint") return !isLive(kind.value.state);
  return kind.case === "result" || kind.case === "error";
}
