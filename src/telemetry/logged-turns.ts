import {
  ApprovalDecisionSchema,
  ErrorReason,
  ErrorReasonSchema,
  TurnStateSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionModeSchema, TurnOriginSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import { enumName } from "../enum-name.ts";
import type { Happenings, TurnHappenings } from "../happenings.ts";
import type { Log } from "../log.ts";
import type { TurnRecord } from "../store/records.ts";
import type { TurnEndRecord } from "../store/writes.ts";
import type { TraceContext } from "../trace-context.ts";

/** What every line of a turn names. */
type Ids = Pick<TurnRecord, "turnId" | "sessionId">;

/**
 * Has the server's log tell of turns, for who operates the server: that something happened, when, to which turn, for whom and
 * at what cost. Nothing that was said or read. Requests that are refused it tells of itself, paced.
 */
export function loggedTurns(log: Log): Happenings {
  return {
    turnAccepted(turn, _agentKind, trace) {
      tellAccepted(log, turn);
      return new LoggedTurn(log, turn, trace);
    },
    leftTurnEnded: ({ turnId, sessionId }, end) =>
      log.info("a turn ended", { turnId, sessionId, ...endFields(end) }),
    requestRefused() {},
  };
}

class LoggedTurn implements TurnHappenings {
  readonly trace: TraceContext | undefined;
  readonly #log: Log;
  readonly #ids: Ids;
  readonly #createTime: number;

  constructor(log: Log, turn: TurnRecord, trace: TraceContext | undefined) {
    const { turnId, sessionId, createTime } = turn;
    this.#log = log;
    this.#ids = { turnId, sessionId };
    this.#createTime = createTime;
    this.trace = trace;
  }

  started(): void {
    this.#log.info("a turn was started", { ...this.#ids, waitedMs: this.#ageMs });
  }

  wrote(): void {}

  appended(): void {}

  approval(kind: Parameters<TurnHappenings["approval"]>[0]): void {
    if (kind.case === "approvalRequest") {
      const { approvalId, name: tool } = kind.value;
      this.#log.info("a tool call waits for an approval", { ...this.#ids, approvalId, tool });
    }
    if (kind.case === "approvalResolution") {
      const { approvalId, principal } = kind.value;
      const decision = enumName(ApprovalDecisionSchema, kind.value.decision);
      const fields = { approvalId, decision, principal };
      this.#log.info("an approval was decided", { ...this.#ids, ...fields });
    }
  }

  ended(end: TurnEndRecord): void {
    this.#log.info("a turn ended", { ...this.#ids, ...endFields(end, this.#ageMs) });
  }

  over(): void {}

  get #ageMs(): number {
    return Math.max(0, Date.now() - this.#createTime);
  }
}

function tellAccepted(log: Log, turn: TurnRecord): void {
  const { turnId, sessionId, principal, agent, model, origin, permissionMode } = turn;
  log.info("a turn was accepted", {
    ...{ turnId, sessionId, principal, agent, model },
    origin: enumName(TurnOriginSchema, origin),
    mode: enumName(PermissionModeSchema, permissionMode),
  });
}

/** @param tookMs - Undefined: unknown, as of a turn that a server before left. */
function endFields(
  { state, errorReason, totalCostUsd, permissionDenialCount: denied }: TurnEndRecord,
  tookMs?: number,
) {
  return {
    state: enumName(TurnStateSchema, state),
    ...(errorReason === ErrorReason.UNSPECIFIED
      ? {}
      : { reason: enumName(ErrorReasonSchema, errorReason) }),
    ...(tookMs === undefined ? {} : { tookMs }),
    costUsd: totalCostUsd,
    ...(denied > 0 ? { denied } : {}),
  };
}
