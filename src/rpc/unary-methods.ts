import type { HandlerContext } from "@connectrpc/connect";
import { z } from "zod";
import type {
  ResolveApprovalRequest,
  SteerTurnRequest,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { Log } from "../log.ts";
import type { Turns } from "../turns/turns.ts";
import { principalOf } from "./admission.ts";
import { InTurn } from "./in-turn.ts";
import { PageTokens, pageSizeOf } from "./page-token.ts";
import {
  listSessionsRules,
  listTurnsRules,
  resolveApprovalRules,
  sessionRules,
  steerTurnRules,
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

/** The methods that answer once. */
export function unaryMethods(turns: Turns, log: Log) {
  // The store does one thing at a time, and a page of long prompts takes it 100 ms.
  const lists = new InTurn();
  return withStatus(log, {
    async cancelTurn(message: { turnId: string }, context: HandlerContext) {
      const { turnId } = validate(turnRules, message);
      return { turn: turnOf(await turns.cancel(turnId, principalOf(context))) };
    },

    async interruptTurn(message: { turnId: string }, context: HandlerContext) {
      const { turnId } = validate(turnRules, message);
      return { turn: turnOf(await turns.interrupt(turnId, principalOf(context))) };
    },

    async steerTurn(message: SteerTurnRequest, context: HandlerContext) {
      const request = validate(steerTurnRules, message);
      const { sequence, turn } = await turns.steer(request, principalOf(context));
      return { sequence, turn: turnOf(turn) };
    },

    async resolveApproval(message: ResolveApprovalRequest, context: HandlerContext) {
      const { turnId, approvalId, decision } = validate(resolveApprovalRules, message);
      const resolution = { turnId, approvalId, answer: decision };
      return { turn: turnOf(await turns.resolveApproval(resolution, principalOf(context))) };
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
      const principal = principalOf(context);
      const page = await lists.run({ principal, signal: context.signal }, () =>
        turns.listTurns(sessionId, principal, size, after),
      );
      const nextPageToken = turnTokens.encode(sessionId, page.next);
      return { turns: page.items.map(turnOf), nextPageToken };
    },

    async getSession(message: { sessionId: string }, context: HandlerContext) {
      const { sessionId } = validate(sessionRules, message);
      return { session: sessionOf(await turns.getSession(sessionId, principalOf(context))) };
    },

    async listSessions(message: { pageSize: number; pageToken: string }, context: HandlerContext) {
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
      const isGone = await turns.deleteSession(sessionId, principalOf(context));
      return { removalPending: !isGone };
    },
  });
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
