import { ApprovalDecisionSchema, TurnStateSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { TurnOriginSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import type { EventKind } from "../agent/agent.ts";
import { enumName } from "../enum-name.ts";
import type { Happenings, TurnHappenings } from "../happenings.ts";
import type { TurnRecord } from "../store/records.ts";
import type { TurnEndRecord } from "../store/writes.ts";
import type { TraceContext } from "../trace-context.ts";
import { secondsSince, type TurnSeries } from "./turn-series.ts";

/** Has turns and refusals be counted. */
export function countedTurns(series: TurnSeries): Happenings {
  return {
    turnAccepted(turn, _agentKind, trace) {
      series.started.inc({ origin: enumName(TurnOriginSchema, turn.origin) });
      return new CountedTurn(series, turn, trace);
    },
    leftTurnEnded: (_turn, end) => series.countEnd(end),
    requestRefused: (reason) => series.refused.inc({ reason }),
  };
}

/** One turn, while something of it can still be counted. */
class CountedTurn implements TurnHappenings {
  readonly trace: TraceContext | undefined;
  readonly #series: TurnSeries;
  readonly #approvals = new Map<string, { readonly since: number }>();
  readonly #createTime: number;

  constructor(series: TurnSeries, { createTime }: TurnRecord, trace: TraceContext | undefined) {
    this.#series = series;
    this.#createTime = createTime;
    this.trace = trace;
  }

  started(): void {
    this.#series.wait.observe(secondsSince(this.#createTime));
  }

  wrote(): void {
    this.#series.firstText.observe(secondsSince(this.#createTime));
  }

  appended(kinds: readonly EventKind[]): void {
    const { events } = this.#series;
    for (const { case: kind } of kinds) events.set(kind, (events.get(kind) ?? 0) + 1);
  }

  approval(kind: EventKind): void {
    if (kind.case === "approvalRequest") {
      this.#approvals.set(kind.value.approvalId, this.#series.askApproval());
    }
    if (kind.case !== "approvalResolution") return;
    const { approvalId } = kind.value;
    const asked = this.#approvals.get(approvalId);
    if (asked === undefined) return;
    this.#approvals.delete(approvalId);
    this.#series.forgetApproval(asked);
    const decision = enumName(ApprovalDecisionSchema, kind.value.decision);
    this.#series.decided.inc({ decision });
    this.#series.approvalWait.observe({ decision }, secondsSince(asked.since));
  }

  ended(end: TurnEndRecord): void {
    this.#series.countEnd(end);
    const state = enumName(TurnStateSchema, end.state);
    this.#series.duration.observe({ state }, secondsSince(this.#createTime));
  }

  over(): void {
    for (const asked of this.#approvals.values()) this.#series.forgetApproval(asked);
    this.#approvals.clear();
  }
}
