import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { z } from "zod";
import type { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { Log } from "../log.ts";
import type { Turns } from "../turns/turns.ts";
import { principalOf, readerOf } from "./admission.ts";
import { responseSink } from "./event-response.ts";
import { PageTokens, pageSizeOf } from "./page-token.ts";
import {
  attachTurnRules,
  listSessionsRules,
  listTurnsRules,
  runTurnRules,
  sessionRules,
  turnRules,
  validate,
} from "./request-rules.ts";
import { sessionOf, turnOf } from "./resources.ts";
import { statusOf } from "./status.ts";
import { StreamEnding, streamEnded } from "./stream-ending.ts";

const turnTokens = new PageTokens("turns", z.int());
const sessionTokens = new PageTokens(
  "sessions",
  z.object({ lastActiveTime: z.int(), sessionId: z.string() }),
);

/** The service: each request validated, handed to `turns`, and answered; each error made a status. */
export function breakglassService(
  turns: Turns,
  maxPromptBytes: number,
  log: Log,
): ServiceImpl<typeof BreakglassService> {
  const runRules = runTurnRules(maxPromptBytes);

  /** The framework makes headers, the first checkpoint and the status of each stream; see `responseSink` for the rest. */
  async function* stream<N extends string>(
    typeName: N,
    subscribed: () => Promise<{ turnId: string; after: number }>,
    context: HandlerContext,
  ) {
    const { signal } = context;
    const reader = readerOf(context);
    try {
      const { turnId, after } = await subscribed();
      const principal = principalOf(context);
      const { subscription, released } = await turns.subscribe(turnId, after, principal, signal);
      try {
        reader.handlerBytes = () => subscription.heldBytes;
        yield { $typeName: typeName, event: subscription.checkpoint };
        await subscription.deliver(responseSink(await reader.writing, context));
        if (signal.aborted) throw endOf(signal, turnId, subscription.cursor);
      } finally {
        subscription.close();
        released();
      }
    } catch (error) {
      throw statusOf(error, log);
    }
  }

  return {
    runTurn(message, context) {
      const run = async () => {
        const { timeout, ...request } = validate(runRules, message);
        const turn = await turns.run({ ...request, timeoutMs: timeout }, principalOf(context));
        return { turnId: turn.turnId, after: 0 };
      };
      return stream("breakglass.v1.RunTurnResponse", run, context);
    },

    attachTurn(message, context) {
      const attach = async () => {
        const { turnId, afterSequence } = validate(attachTurnRules, message);
        return { turnId, after: afterSequence };
      };
      return stream("breakglass.v1.AttachTurnResponse", attach, context);
    },

    ...withStatus(log, {
      async cancelTurn(message: { turnId: string }, context: HandlerContext) {
        const { turnId } = validate(turnRules, message);
        return { turn: turnOf(await turns.cancel(turnId, principalOf(context))) };
      },

      async getTurn(message: { turnId: string }, context: HandlerContext) {
        const { turnId } = validate(turnRules, message);
        return { turn: turnOf(await turns.getTurn(turnId, principalOf(context))) };
      },

      async listTurns(
        message: { sessionId: string; pageSize: number; pageToken: string },
        context: HandlerContext,
      ) {
        const { sessionId, pageSize, pageToken } = validate(listTurnsRules, message);
        const after = turnTokens.decode(sessionId, pageToken);
        const size = pageSizeOf(pageSize);
        const page = await turns.listTurns(sessionId, principalOf(context), size, after);
        const nextPageToken = turnTokens.encode(sessionId, page.next);
        return { turns: page.items.map(turnOf), nextPageToken };
      },

      async getSession(message: { sessionId: string }, context: HandlerContext) {
        const { sessionId } = validate(sessionRules, message);
        return { session: sessionOf(await turns.getSession(sessionId, principalOf(context))) };
      },

      async listSessions(
        message: { pageSize: number; pageToken: string },
        context: HandlerContext,
      ) {
        const { pageSize, pageToken } = validate(listSessionsRules, message);
        const principal = principalOf(context);
        const after = sessionTokens.decode(principal, pageToken);
        const page = await turns.listSessions(principal, pageSizeOf(pageSize), after);
        const { lastActiveTime, sessionId } = page.next ?? {};
        const place =
          lastActiveTime === undefined || sessionId === undefined
            ? undefined
            : { lastActiveTime, sessionId };
        const nextPageToken = sessionTokens.encode(principal, place);
        return { sessions: page.items.map(sessionOf), nextPageToken };
      },

      async deleteSession(message: { sessionId: string }, context: HandlerContext) {
        const { sessionId } = validate(sessionRules, message);
        await turns.deleteSession(sessionId, principalOf(context));
        return {};
      },
    }),
  };
}

/**
 * Why a signal ended a stream: the server's wish, a deadline, which is no success either, or a client that went away, which
 * nobody is told of.
 */
function endOf({ reason }: AbortSignal, turnId: string, sequence: number): Error {
  if (reason instanceof StreamEnding) return streamEnded(reason, turnId, sequence);
  return reason instanceof ConnectError
    ? reason
    : new ConnectError("the client went away", Code.Canceled);
}

type Unary = (message: never, context: HandlerContext) => Promise<unknown>;

/** The same methods, with what they throw made a status. */
function withStatus<M extends Record<string, Unary>>(log: Log, methods: M): M {
  const wrapped = Object.entries(methods).map(([name, method]) => [
    name,
    (message: never, context: HandlerContext) =>
      method(message, context).catch((error: unknown) => {
        throw statusOf(error, log);
      }),
  ]);
  return Object.fromEntries(wrapped) as M;
}
