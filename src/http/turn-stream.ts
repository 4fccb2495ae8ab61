import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { isLive } from "#client/turn-state";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { BodyWriter } from "../edge/body-writer.ts";
import type { Reader } from "../edge/reader.ts";
import { StreamEnding } from "../edge/stream-ending.ts";
import type { Caller } from "../identity/caller.ts";
import type { Log } from "../log.ts";
import type { AskedTurn } from "../rpc/asked-turn.ts";
import { streamEnded } from "../rpc/stream-ending.ts";
import type { OpenedReader } from "../turns/readers.ts";
import type { EventSink } from "../turns/subscription.ts";
import type { Turns } from "../turns/turns.ts";
import { FlatEvents } from "./flat-event.ts";
import { INERT_HEADERS } from "./inert-headers.ts";
import { problemOf } from "./problem.ts";
import type { StreamFormat } from "./stream-format.ts";

/** A stream of a turn that was asked for. */
export interface TurnStream {
  /** The turn has ended, and its reader has all of it. */
  readonly isOver: boolean;
  /** The answer that streams it. */
  answer(): UniversalServerResponse;
  /** Lets go of it in place of answering. */
  close(): void;
}

/**
 * Opens the stream of a turn to a reader.
 *
 * @throws Refusal NOT_FOUND, OUT_OF_RANGE or TOO_MANY_SUBSCRIPTIONS.
 */
export async function openTurnStream(
  turns: Turns,
  { turnId, from, place }: AskedTurn,
  caller: Caller,
  reader: Reader,
  format: StreamFormat,
  log: Log,
): Promise<TurnStream> {
  const opened = await turns.subscribe(turnId, from, caller, reader.signal, place);
  return {
    isOver: isOver(opened.subscription.checkpoint),
    close: () => close(opened),
    answer: () => ({
      status: 200,
      header: new Headers({
        "content-type": format.mediaType,
        "content-location": `/v1/turns/${turnId}/events`,
        "cache-control": "no-store",
        // A proxy that gathers answers (nginx with nothing but `proxy_pass`) is told not to gather this one.
        "x-accel-buffering": "no",
        // A page elsewhere that takes it for a script or an image gets nothing of it.
        ...INERT_HEADERS,
        "cross-origin-resource-policy": "same-origin",
      }),
      body: bodyOf(opened, turnId, reader, format, log),
    }),
  };
}

async function* bodyOf(
  opened: OpenedReader,
  turnId: string,
  reader: Reader,
  format: StreamFormat,
  log: Log,
): AsyncGenerator<Uint8Array> {
  const { subscription } = opened;
  const { signal } = reader;
  const flat = new FlatEvents();
  try {
    reader.handlerBytes = () => subscription.heldBytes;
    const opening = format.event(flat.ofTransient(subscription.checkpoint));
    yield Buffer.from(format.opening + opening);
    await subscription.deliver(sinkOf(await reader.writing, flat, format));
    if (signal.reason instanceof StreamEnding) {
      throw streamEnded(signal.reason, turnId, subscription.cursor);
    }
  } catch (error) {
    // The status was sent long ago.
    const { members, refusal } = problemOf(error, log);
    const { sessionId } = subscription.checkpoint;
    const line = { kind: "problem", turn_id: turnId, session_id: sessionId, ...members };
    yield Buffer.from(format.problem(line, refusal?.details.retryAfterMs));
  } finally {
    close(opened);
  }
}

/** Writes the events of a stream into its response, as the protocols' do. */
function sinkOf(writer: BodyWriter, flat: FlatEvents, format: StreamFormat): EventSink {
  const push = (text: string) => writer.push(Buffer.from(text));
  return {
    get isFull() {
      return writer.isFull;
    },
    onRoom(listener) {
      writer.onRoom = listener;
    },
    write: (encoded) => push(format.event(flat.of(encoded))),
    writeTransient(event) {
      const { kind } = event;
      const isHeartbeat = kind.case === "checkpoint" && !kind.value.caughtUp;
      const line = flat.ofTransient(event);
      push(isHeartbeat ? format.heartbeat(line) : format.event(line));
    },
  };
}

function close({ subscription, released }: OpenedReader): void {
  subscription.close();
  released();
}

function isOver({ kind }: TurnEvent): boolean {
  return kind.case === "checkpoint" && kind.value.caughtUp && !isLive(kind.value.state);
}
