import { randomUUID } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type BreakglassClient,
  endsTurn,
  errorInfoOf,
  type StreamOptions,
  streamTurn,
  type TurnStream,
} from "#client";
import type { WatchTurnsResponse } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { Breakage } from "./typescript-case.ts";

type Change = (events: AsyncIterable<TurnEvent>) => AsyncGenerator<TurnEvent, void, undefined>;

/** Clients that are broken on purpose, each in a way that clients have been. */
export const BREAKAGES: Readonly<Record<string, Breakage>> = {
  /** The event behind a cut is lost. */
  "drops-an-event": changed(async function* (events) {
    for await (const event of events) if (event.sequence !== 3) yield event;
  }),
  "repeats-an-event": changed(async function* (events) {
    for await (const event of events) {
      yield event;
      if (event.sequence === 2) yield event;
    }
  }),
  /** Each call of a start has a `request_id` of its own. */
  "starts-twice": calling((client) => ({
    runTurn: (request, options) => client.runTurn({ ...request, requestId: randomUUID() }, options),
  })),
  /** The first failure is final. */
  "gives-up-at-the-first-cut": {
    options: (options) => ({ ...options, backOff: { firstGiveUpMs: 0, giveUpMs: 0 } }),
  },
  /** What is refused is asked for again and again. */
  "tries-refusals-again": calling((client) => ({
    runTurn: (request, options) => mended(client.runTurn(request, options)),
    attachTurn: (request, options) => mended(client.attachTurn(request, options)),
  })),
  /** Empty pieces, and ids that differ, are not passed on. */
  "ignores-void-pieces": changed(async function* (events) {
    for await (const event of events) {
      if (event.kind.case === "textDelta") {
        if (event.kind.value.text === "") continue;
        event.kind.value.messageId = event.kind.value.messageId.replace(/[@#]2$/, "");
      }
      yield event;
    }
  }),
  /** A call comes as soon as the back-off lets it, whatever the server asks for. */
  "ignores-retry-info": calling((client) => ({
    runTurn: (request, options) => hurried(client.runTurn(request, options)),
    attachTurn: (request, options) => hurried(client.attachTurn(request, options)),
  })),
  /** It waits for a connection that is dead. */
  "waits-through-silence": { options: (options) => ({ ...options, silenceMs: 3_600_000 }) },
  /** The next call goes over the connection that was silent. */
  "keeps-a-dead-connection": {
    options: (options) => ({ ...options, dropConnection: () => {} }),
  },
  /** It attaches from the beginning each time, and drops what it knows. */
  "attaches-from-the-beginning": calling((client) => ({
    attachTurn: (request, options) => client.attachTurn({ ...request, afterSequence: 0 }, options),
  })),
  /** A stream that ends with OK is taken for the end. */
  "takes-ok-for-the-end": {
    stream: (client, turn, options) =>
      asStream(
        untilOk(client, (noting, signal) => streamTurn(noting, turn, { ...options, signal })),
      ),
  },
  /** Kinds that it does not know end the reading. */
  "dies-of-unknown-kinds": changed(async function* (events) {
    for await (const event of events) {
      if (event.kind.case === undefined) throw new ConnectError("what is that?", Code.Internal);
      yield event;
    }
  }),
  /** Canceling the reading cancels the turn. */
  "cancels-the-turn": {
    stream: (client, turn, options) =>
      asStream(canceling(client, streamTurn(client, turn, options))),
  },
  /** A watch that was cut begins from 0 again. */
  "watches-from-the-beginning": calling((client) => ({
    watchSession: (request, options) =>
      client.watchSession({ ...request, afterCursor: 0n }, options),
    watchTurns: (request, options) => client.watchTurns({ ...request, afterCursor: 0n }, options),
  })),
  /** A watch is gone on with behind the last change but one. */
  "watches-one-too-early": calling((client) => ({
    watchTurns: (request, options) =>
      client.watchTurns({ ...request, afterCursor: earlier(request.afterCursor) }, options),
  })),
  /** A watch that was cut is gone on with for all turns. */
  "forgets-filters": calling((client) => ({
    watchTurns: (request, options) => {
      const { afterCursor = 0n } = request;
      return client.watchTurns(afterCursor > 0n ? { afterCursor } : request, options);
    },
  })),
  /** What was removed meanwhile is passed over in silence. */
  "begins-again-by-itself": calling((client) => ({
    watchTurns: (request, options) => beginningAgain(client, request, options),
  })),
  /** Waits do not grow. */
  "hammers-the-server": {
    options: (options) => ({
      ...options,
      backOff: { ...options.backOff, firstMs: 1, longestMs: 2 },
    }),
  },
};

type Methods = Pick<BreakglassClient, "runTurn" | "attachTurn" | "watchSession" | "watchTurns">;

/** A client some of whose calls are others. */
function calling(change: (client: BreakglassClient) => Partial<Methods>): Breakage {
  return { client: (client) => ({ ...client, ...change(client) }) };
}

/** A client that makes something else of what it has read. */
function changed(change: Change): Breakage {
  return {
    stream: (client, turn, options: StreamOptions = {}) =>
      asStream(change(streamTurn(client, turn, options))),
  };
}

function asStream(events: AsyncGenerator<TurnEvent, void, undefined>): TurnStream {
  return {
    next: () => events.next(),
    return: () => events.return(),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Refusals look as something that passes. */
async function* mended<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    if (errorInfoOf(error) === undefined) throw error;
    throw new ConnectError("again", Code.Unavailable);
  }
}

/** `RetryInfo` is not looked at. */
async function* hurried<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    if (error instanceof ConnectError) {
      error.details = error.details.filter(
        (detail) => "type" in detail && detail.type !== "google.rpc.RetryInfo",
      );
    }
    throw error;
  }
}

/** The events of a turn up to the first stream that ends with OK. */
async function* untilOk(
  client: BreakglassClient,
  read: (client: BreakglassClient, signal: AbortSignal) => AsyncIterable<TurnEvent>,
): AsyncGenerator<TurnEvent, void, undefined> {
  const over = new AbortController();
  const noting = async function* <T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
    yield* messages;
    over.abort();
  };
  const methods: Pick<Methods, "runTurn" | "attachTurn"> = {
    runTurn: (request, options) => noting(client.runTurn(request, options)),
    attachTurn: (request, options) => noting(client.attachTurn(request, options)),
  };
  try {
    yield* read({ ...client, ...methods }, over.signal);
  } catch (error) {
    if (!over.signal.aborted) throw error;
  }
}

function earlier(cursor = 0n): bigint {
  return cursor > 0n ? cursor - 1n : 0n;
}

/** OUT_OF_RANGE is answered by a watch from 0. */
async function* beginningAgain(
  client: BreakglassClient,
  ...[request, options]: Parameters<BreakglassClient["watchTurns"]>
): AsyncGenerator<WatchTurnsResponse> {
  try {
    yield* client.watchTurns(request, options);
  } catch (error) {
    if (ConnectError.from(error).code !== Code.OutOfRange) throw error;
    yield* client.watchTurns({ ...request, afterCursor: 0n }, options);
  }
}

/** Whoever leaves the stream ends the turn. */
async function* canceling(
  client: BreakglassClient,
  events: AsyncIterable<TurnEvent>,
): AsyncGenerator<TurnEvent, void, undefined> {
  let turnId = "";
  let hasEnded = false;
  try {
    for await (const event of events) {
      turnId = event.turnId;
      hasEnded = endsTurn(event);
      yield event;
    }
  } finally {
    if (!hasEnded) await client.cancelTurn({ turnId });
  }
}
