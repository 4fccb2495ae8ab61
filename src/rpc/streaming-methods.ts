import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type {
  AttachTurnRequest,
  RunTurnRequest,
  WatchSessionRequest,
  WatchSessionResponseSchema,
  WatchTurnsRequest,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { StreamEnding } from "../edge/stream-ending.ts";
import type { Log } from "../log.ts";
import type { TurnRecord } from "../store/records.ts";
import { traceContextOf } from "../trace-context.ts";
import type { SessionNews } from "../turns/session-watch.ts";
import type { TurnNews } from "../turns/turn-watch.ts";
import type { Turns } from "../turns/turns.ts";
import { callerOf, readerOf } from "./admission.ts";
import { type AskedTurn, askAttach, askRun } from "./asked-turn.ts";
import { responseSink } from "./event-response.ts";
import {
  type RunTurnRules,
  validate,
  watchSessionRules,
  watchTurnsRules,
} from "./request-rules.ts";
import { sessionNameOf, turnOf } from "./resources.ts";
import { statusOf } from "./status.ts";
import { streamEnded, turnWatchEnded, watchEnded } from "./stream-ending.ts";
import { turnNewsOf, turnNewsSink } from "./turn-news-response.ts";

/** The methods that stream: each ends with a status where the server, and not what it streams, ends it. */
export function streamingMethods(turns: Turns, runRules: RunTurnRules, log: Log) {
  /**
   * The framework makes headers, the first checkpoint and the status of each stream; see `responseSink` for the rest.
   *
   * @param asked - No function that would keep the request's message, attachments and all, until the stream ends.
   */
  async function* streamTurn<N extends string>(
    typeName: N,
    asked: Promise<AskedTurn>,
    context: HandlerContext,
  ) {
    const { signal } = context;
    const reader = readerOf(context);
    passAtOnce(context);
    try {
      const { turnId, from, place } = await asked;
      const caller = callerOf(context);
      const { subscription, released } = await turns.subscribe(turnId, from, caller, signal, place);
      try {
        reader.handlerBytes = () => subscription.heldBytes;
        yield { $typeName: typeName, event: subscription.checkpoint };
        await subscription.deliver(responseSink(await reader.writing, context));
        if (signal.aborted) {
          throw endOf(signal, (ending) => streamEnded(ending, turnId, subscription.cursor));
        }
      } finally {
        subscription.close();
        released();
      }
    } catch (error) {
      throw statusOf(error, log);
    }
  }

  return {
    runTurn(message: RunTurnRequest, context: HandlerContext) {
      const trace = traceContextOf(context.requestHeader);
      const run = askRun(turns, runRules, message, callerOf(context), context.signal, trace);
      return streamTurn("breakglass.v1.RunTurnResponse", heldBack(run), context);
    },

    attachTurn(message: AttachTurnRequest, context: HandlerContext) {
      const attach = Promise.try(askAttach, message);
      return streamTurn("breakglass.v1.AttachTurnResponse", heldBack(attach), context);
    },

    /** Of low volume: it goes through the framework, message by message. */
    async *watchSession(message: WatchSessionRequest, context: HandlerContext) {
      const { signal } = context;
      passAtOnce(context);
      try {
        const { afterCursor, ...named } = validate(watchSessionRules, message);
        const { sessionId } = named;
        let cursor = afterCursor;
        const caller = callerOf(context);
        for await (const news of turns.watch(
          sessionNameOf(named, caller),
          afterCursor,
          caller,
          signal,
        )) {
          cursor = news.cursor;
          yield newsOf(news);
        }
        throw endOf(signal, (ending) => watchEnded(ending, sessionId, cursor));
      } catch (error) {
        throw statusOf(error, log);
      }
    },

    /** Of many who watch the same: all but its first message goes past the framework, serialized once for all. */
    async *watchTurns(message: WatchTurnsRequest, context: HandlerContext) {
      const { signal } = context;
      const reader = readerOf(context);
      passAtOnce(context);
      try {
        const { sessionId, sessionPrincipal, afterCursor, ...filter } = validate(
          watchTurnsRules,
          message,
        );
        let cursor = afterCursor;
        const caller = callerOf(context);
        const named = sessionNameOf({ sessionId, sessionPrincipal }, caller);
        const session = sessionId === "" ? undefined : named;
        const watch = turns.watchTurns(session, filter, afterCursor, caller, signal);
        reader.handlerBytes = () => watch.heldBytes;
        const mayResolve = (turn: TurnRecord) => turns.mayResolve(turn, caller);
        let tell: ((news: TurnNews) => Promise<void>) | undefined;
        for await (const news of watch.news()) {
          cursor = news.cursor;
          if (tell !== undefined) await tell(news);
          else {
            // The framework makes headers and the first message of each stream.
            yield await turnNewsOf(news, mayResolve);
            tell = turnNewsSink(await reader.writing, context, mayResolve);
          }
        }
        throw endOf(signal, (ending) => turnWatchEnded(ending, cursor));
      } catch (error) {
        throw statusOf(error, log);
      }
    },
  };
}

/** A proxy that gathers answers (nginx with nothing but `proxy_pass`) is told not to gather this one. */
export function passAtOnce({ responseHeader }: HandlerContext): void {
  responseHeader.set("x-accel-buffering", "no");
}

/** The same promise: who is to await it may come later than its failure, or never. */
function heldBack<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

function newsOf({
  cursor,
  change,
  caughtUp,
}: SessionNews): MessageInitShape<typeof WatchSessionResponseSchema> {
  if (change === undefined) return { cursor: BigInt(cursor), caughtUp };
  const kind = change.kind === "started" ? "turnStarted" : "turnEnded";
  const told = { case: kind, value: turnOf(change.turn) } as const;
  return { cursor: BigInt(cursor), change: told, caughtUp };
}

/**
 * Why a signal ended a stream: the server's wish, a deadline, which is no success either, or a client that went away, which
 * nobody is told of.
 *
 * @param ended - What the server's wish is to this stream's client.
 */
export function endOf({ reason }: AbortSignal, ended: (ending: StreamEnding) => Error): Error {
  if (reason instanceof StreamEnding) return ended(reason);
  return reason instanceof ConnectError
    ? reason
    : new ConnectError("the client went away", Code.Canceled);
}
