import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { z } from "zod";
import type { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { Log } from "../log.ts";
import type { StreamItem } from "../turns/subscription.ts";
import type { Turns } from "../turns/turns.ts";
import { principalOf } from "./admission.ts";
import { eventResponses } from "./event-response.ts";
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

  async function* stream(turnId: string, after: number, context: HandlerContext) {
    const events = turns.subscribe(turnId, after, principalOf(context), context.signal);
    yield* endedBySignal(events, context.signal);
  }

  return {
    async *runTurn(message, context) {
      const respond = eventResponses("breakglass.v1.RunTurnResponse", context);
      try {
        const { timeout, ...request } = validate(runRules, message);
        const turn = await turns.run({ ...request, timeoutMs: timeout }, principalOf(context));
        for await (const item of stream(turn.turnId, 0, context)) yield respond(item);
      } catch (error) {
        throw statusOf(error, log);
      }
    },

    async *attachTurn(message, context) {
      const respond = eventResponses("breakglass.v1.AttachTurnResponse", context);
      try {
        const { turnId, afterSequence } = validate(attachTurnRules, message);
        for await (const item of stream(turnId, afterSequence, context)) yield respond(item);
      } catch (error) {
        throw statusOf(error, log);
      }
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

/** Ends with the signal's reason where the signal ended the stream: a deadline is not a success. */
async function* endedBySignal(items: AsyncIterable<StreamItem>, signal: AbortSignal) {
  yield* items;
  signal.throwIfAborted();
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
