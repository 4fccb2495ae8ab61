import type { HandlerContext } from "@connectrpc/connect";
import { z } from "zod";
import type {
  ListApprovalsRequest,
  ListTurnsRequest,
  ResolveApprovalRequest,
  ShareSessionRequest,
  SteerTurnRequest,
  UnshareSessionRequest,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { Log } from "../log.ts";
import type { Turns } from "../turns/turns.ts";
import { callerOf } from "./admission.ts";
import type { DescribeServer } from "./describe-server.ts";
import { InTurn } from "./in-turn.ts";
import { PageTokens, pageSizeOf } from "./page-token.ts";
import {
  listApprovalsRules,
  listSessionsRules,
  listTurnsRules,
  resolveApprovalRules,
  sessionRules,
  shareSessionRules,
  steerTurnRules,
  turnRules,
  unshareSessionRules,
  validate,
} from "./request-rules.ts";
import { approvalOf, sessionNameOf, sessionOf, spendingOf, turnOf } from "./resources.ts";
import { statusOf } from "./status.ts";

const turnTokens = new PageTokens("turns", z.int());
const turnPlace = z.object({ createTime: z.int(), turnId: z.string() });
const searchedPlace = turnPlace.extend({ searchKey: z.int().optional() });
const allTurnTokens = new PageTokens("all turns", searchedPlace);
const approvalTokens = new PageTokens(
  "approvals",
  z
    .object({ after: turnPlace.optional(), turnId: z.string(), sequence: z.int() })
    .transform(({ after, ...place }) => ({ ...place, after })),
);
const sessionTokens = new PageTokens(
  "sessions",
  z.object({ lastActiveTime: z.int(), sessionId: z.string(), principal: z.string() }),
);

/** The methods that answer once. */
export function unaryMethods(turns: Turns, describeServer: DescribeServer, log: Log) {
  // The store does one thing at a time, and a page of long prompts takes it 100 ms.
  const lists = new InTurn();
  return withStatus(log, {
    async cancelTurn(message: { turnId: string }, context: HandlerContext) {
      const { turnId } = validate(turnRules, message);
      return { turn: turnOf(await turns.cancel(turnId, callerOf(context))) };
    },

    async interruptTurn(message: { turnId: string }, context: HandlerContext) {
      const { turnId } = validate(turnRules, message);
      return { turn: turnOf(await turns.interrupt(turnId, callerOf(context))) };
    },

    async steerTurn(message: SteerTurnRequest, context: HandlerContext) {
      const request = validate(steerTurnRules, message);
      const { sequence, turn } = await turns.steer(request, callerOf(context));
      return { sequence, turn: turnOf(turn) };
    },

    async resolveApproval(message: ResolveApprovalRequest, context: HandlerContext) {
      const { turnId, approvalId, decision } = validate(resolveApprovalRules, message);
      const resolution = { turnId, approvalId, answer: decision };
      return { turn: turnOf(await turns.resolveApproval(resolution, callerOf(context))) };
    },

    async getTurn(message: { turnId: string }, context: HandlerContext) {
      const { turnId } = validate(turnRules, message);
      return { turn: turnOf(await turns.getTurn(turnId, callerOf(context))) };
    },

    async listTurns(message: ListTurnsRequest, context: HandlerContext) {
      const { sessionId, sessionPrincipal, pageSize, pageToken, ...filter } = validate(
        listTurnsRules,
        message,
      );
      const size = pageSizeOf(pageSize);
      const caller = callerOf(context);
      const name = sessionNameOf({ sessionId, sessionPrincipal }, caller);
      const { states, since, until, principal, origin, query } = filter;
      const filters = [
        states,
        since ?? 0,
        until ?? null,
        principal ?? "",
        origin ?? 0,
        query ?? "",
      ];
      const scope = JSON.stringify([sessionId, name.principal, ...filters]);
      const inTurn = <T>(list: () => Promise<T>) =>
        lists.run({ principal: caller.name, signal: context.signal }, list);
      if (sessionId === "") {
        const after = allTurnTokens.decode(scope, pageToken);
        const page = await inTurn(() => turns.listAllTurns(caller, size, after, filter));
        const nextPageToken = allTurnTokens.encode(scope, page.next);
        return { turns: page.items.map(turnOf), nextPageToken };
      }
      const after = turnTokens.decode(scope, pageToken);
      const page = await inTurn(() => turns.listTurns(name, caller, size, after, filter));
      const nextPageToken = turnTokens.encode(scope, page.next);
      return { turns: page.items.map(turnOf), nextPageToken };
    },

    async listApprovals(message: ListApprovalsRequest, context: HandlerContext) {
      const { pageSize, pageToken } = validate(listApprovalsRules, message);
      const caller = callerOf(context);
      const from = approvalTokens.decode(caller.name, pageToken);
      const page = await lists.run({ principal: caller.name, signal: context.signal }, () =>
        turns.listApprovals(caller, pageSizeOf(pageSize), from),
      );
      const nextPageToken = approvalTokens.encode(caller.name, page.next);
      return { approvals: page.items.map(approvalOf), nextPageToken };
    },

    async getSession(message: SentName, context: HandlerContext) {
      const caller = callerOf(context);
      const name = sessionNameOf(validate(sessionRules, message), caller);
      return { session: sessionOf(await turns.getSession(name, caller)) };
    },

    async listSessions(message: { pageSize: number; pageToken: string }, context: HandlerContext) {
      const { pageSize, pageToken } = validate(listSessionsRules, message);
      const caller = callerOf(context);
      const after = sessionTokens.decode(caller.name, pageToken);
      const page = await turns.listSessions(caller, pageSizeOf(pageSize), after);
      const nextPageToken = sessionTokens.encode(caller.name, page.next);
      return { sessions: page.items.map(sessionOf), nextPageToken };
    },

    async getSpending(_message: unknown, context: HandlerContext) {
      const caller = callerOf(context);
      const used = await turns.getSpending(caller);
      return { spending: spendingOf(caller.name, used, turns.spendingLimits) };
    },

    async deleteSession(message: SentName, context: HandlerContext) {
      const caller = callerOf(context);
      const name = sessionNameOf(validate(sessionRules, message), caller);
      return { removalPending: !(await turns.deleteSession(name, caller)) };
    },

    async shareSession(message: ShareSessionRequest, context: HandlerContext) {
      const {
        with: grantee,
        access,
        ...named
      } = validate(shareSessionRules, { with: undefined, ...message });
      const caller = callerOf(context);
      const share = { grantee, access };
      const shared = turns.shareSession(sessionNameOf(named, caller), share, caller);
      return { session: sessionOf(await shared) };
    },

    async unshareSession(message: UnshareSessionRequest, context: HandlerContext) {
      const { with: grantee, ...named } = validate(unshareSessionRules, {
        with: undefined,
        ...message,
      });
      const caller = callerOf(context);
      const unshared = turns.unshareSession(sessionNameOf(named, caller), grantee, caller);
      return { session: sessionOf(await unshared) };
    },

    async getServerInfo(_message: unknown, context: HandlerContext) {
      return { server: await describeServer(callerOf(context)) };
    },
  });
}

/** A session as a request names it. */
type SentName = Parameters<typeof sessionNameOf>[0];

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
