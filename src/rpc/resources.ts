import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { WatchTurnsResponseSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import {
  Role,
  type Session,
  SessionSchema,
  ShareAccess,
} from "../../gen/breakglass/v1/session_pb.ts";
import { type Spending, SpendingSchema } from "../../gen/breakglass/v1/spending_pb.ts";
import { type Turn, TurnSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import { DAY_MS, type DaySpending } from "../day-spending.ts";
import type { Caller, Role as RoleName } from "../identity/caller.ts";
import type { TurnChange, TurnRecord } from "../store/records.ts";
import type { SessionName, Share } from "../store/views.ts";
import { decodeEvent } from "../turns/encoded-event.ts";
import type { PendingApproval } from "../turns/pending-approvals.ts";
import type { ShownSession } from "../turns/shown-sessions.ts";
import type { Turns } from "../turns/turns.ts";

/** What shares let somebody do, by its name in the proto. */
export const ACCESSES = { read: ShareAccess.READ, operate: ShareAccess.OPERATE } as const;

/** The roles, by their names in the proto. */
export const ROLES: Readonly<Record<RoleName, Role>> = {
  viewer: Role.VIEWER,
  operator: Role.OPERATOR,
  approver: Role.APPROVER,
  admin: Role.ADMIN,
};

/** The session that a request names: an id alone means the caller's own. */
export function sessionNameOf(
  { sessionId, sessionPrincipal }: { sessionId: string; sessionPrincipal: string },
  caller: Caller,
): SessionName {
  return { sessionId, principal: sessionPrincipal || caller.name };
}

/** A turn as callers see it. */
export function turnOf(record: TurnRecord): Turn {
  const { createTime, endTime, usage, attachments, sessionKey, ...same } = record;
  return create(TurnSchema, {
    ...same,
    ...(usage === undefined ? {} : { usage }),
    attachments: attachments.map(({ size, ...names }) => ({ ...names, size: BigInt(size) })),
    createTime: timestampFromMs(createTime),
    ...(endTime === undefined ? {} : { endTime: timestampFromMs(endTime) }),
  });
}

/** An approval that waits, as callers see it. */
export function approvalOf({ event, turn, mayResolve }: PendingApproval & { mayResolve: boolean }) {
  const { kind } = event;
  const expireTime = kind.case === "approvalRequest" ? kind.value.expireTime : undefined;
  const leftMs = expireTime === undefined ? 0 : timestampMs(expireTime) - Date.now();
  return {
    event,
    principal: turn.principal,
    remaining: durationFromMs(Math.max(0, leftMs)),
    mayResolve,
  };
}

const STATE_CHANGES = {
  started: "turnStarted",
  changed: "turnChanged",
  ended: "turnEnded",
} as const;

/**
 * A change of a turn, as callers see it.
 *
 * @param mayResolve - Of what waits for an approval, whether the caller may answer it.
 */
export function changeOf(
  { kind, turn, event }: TurnChange,
  mayResolve: boolean,
): MessageInitShape<typeof WatchTurnsResponseSchema>["change"] {
  const decoded = event && decodeEvent(event);
  if (kind === "approvalRequested") {
    const pending = { event: decoded!, turn, mayResolve };
    return { case: kind, value: approvalOf(pending) };
  }
  if (kind === "approvalResolved") return { case: kind, value: decoded! };
  return { case: STATE_CHANGES[kind], value: turnOf(turn) };
}

/** A session as callers see it: where it works on this machine is not their concern. */
export function sessionOf(record: ShownSession): Session {
  const { createTime, lastActiveTime, usage, lastTurn, shares, access, ...rest } = record;
  const { sessionKey, workspace, agentSessionId, changeCount, ...same } = rest;
  return create(SessionSchema, {
    ...same,
    ...(usage === undefined ? {} : { usage }),
    createTime: timestampFromMs(createTime),
    lastActiveTime: timestampFromMs(lastActiveTime),
    lastTurnId: lastTurn?.turnId ?? "",
    lastTurnState: lastTurn?.state ?? TurnState.UNSPECIFIED,
    lastPrompt: lastTurn?.prompt ?? "",
    shares: shares.map(shareOf),
    access: ACCESSES[access],
  });
}

/** What a principal's turns have used on a day and may, as the principal sees it. */
export function spendingOf(
  principal: string,
  { day, costUsd, modelTurns }: DaySpending,
  { maxCostUsd, maxModelTurns, ofDay }: Turns["spendingLimits"],
): Spending {
  return create(SpendingSchema, {
    principal,
    startTime: timestampFromMs(day * DAY_MS),
    endTime: timestampFromMs((day + 1) * DAY_MS),
    costUsd,
    maxCostUsd: ofDay.costUsd,
    modelTurns: BigInt(modelTurns),
    maxModelTurns: BigInt(ofDay.modelTurns),
    maxTurnCostUsd: maxCostUsd,
    maxTurnModelTurns: BigInt(maxModelTurns),
  });
}

function shareOf({ grantee: { kind, name }, access, createTime }: Share) {
  const grantee =
    kind === "principal"
      ? ({ case: "principal", value: name } as const)
      : ({ case: "role", value: ROLES[name as RoleName] } as const);
  return {
    with: { grantee },
    access: ACCESSES[access],
    createTime: timestampFromMs(createTime),
  };
}
