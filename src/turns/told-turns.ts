import {
  ApprovalDecisionSchema,
  ErrorReason,
  ErrorReasonSchema,
  TurnStateSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionModeSchema, TurnOriginSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import type { EventKind } from "../agent/agent.ts";
import { enumName } from "../enum-name.ts";
import type { Log } from "../log.ts";
import type { TurnRecord } from "../store/records.ts";
import type { TurnEndRecord } from "../store/writes.ts";

// What the server's log tells of turns, for who operates the server: that something happened, when, to which turn, for whom
// and at what cost. Nothing that was said or read.

/** A turn is on record. */
export function tellAccepted(log: Log, turn: TurnRecord): void {
  const { turnId, sessionId, principal, agent, model, origin, permissionMode } = turn;
  log.info("a turn was accepted", {
    ...{ turnId, sessionId, principal, agent, model },
    origin: enumName(TurnOriginSchema, origin),
    mode: enumName(PermissionModeSchema, permissionMode),
  });
}

/** The agent has begun to work on it. */
export function tellStarted(log: Log, { turnId, createTime }: TurnRecord): void {
  log.info("a turn was started", { turnId, waitedMs: Math.max(0, Date.now() - createTime) });
}

/** Its end is on record. */
export function tellEnded(
  log: Log,
  ids: { readonly turnId: string; readonly sessionId: string },
  { state, errorReason, totalCostUsd, permissionDenialCount: denied }: TurnEndRecord,
  /** Undefined: unknown, as of a turn that a server before left. */
  createTime: number | undefined,
): void {
  log.info("a turn ended", {
    ...ids,
    state: enumName(TurnStateSchema, state),
    ...(errorReason === ErrorReason.UNSPECIFIED
      ? {}
      : { reason: enumName(ErrorReasonSchema, errorReason) }),
    ...(createTime === undefined ? {} : { tookMs: Math.max(0, Date.now() - createTime) }),
    costUsd: totalCostUsd,
    ...(denied > 0 ? { denied } : {}),
  });
}

/** An approval is asked for, or decided. */
export function tellApproval(log: Log, turnId: string, kind: EventKind): void {
  if (kind.case === "approvalRequest") {
    const { approvalId, name: tool } = kind.value;
    log.info("a tool call waits for an approval", { turnId, approvalId, tool });
  }
  if (kind.case === "approvalResolution") {
    const { approvalId, principal } = kind.value;
    const decision = enumName(ApprovalDecisionSchema, kind.value.decision);
    log.info("an approval was decided", { turnId, approvalId, decision, principal });
  }
}
