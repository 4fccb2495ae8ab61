import { create } from "@bufbuild/protobuf";
import { endStateOf } from "#client/turn-state";
import { ErrorEventSchema, ErrorReason } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind, Spending, TerminalKind } from "../agent/agent.ts";
import type { TurnEndRecord } from "../store/store.ts";

/** Why the server, and not the agent, ends a turn. */
export interface TurnEnd {
  readonly reason: ErrorReason;
  /** For the operator: what happened and what to do. */
  readonly message: string;
}

/** What a terminal event makes of its turn's record. */
export function endRecordOf(kind: TerminalKind): TurnEndRecord {
  const { usage, totalCostUsd } = kind.value;
  const ended = { usage, totalCostUsd, state: endStateOf(kind) };
  if (kind.case === "error") {
    return { ...ended, errorReason: kind.value.reason, permissionDenialCount: 0 };
  }
  const permissionDenialCount = kind.value.permissionDenials.length;
  return { ...ended, errorReason: ErrorReason.UNSPECIFIED, permissionDenialCount };
}

/** The terminal event of a turn that the server ended. */
export function errorEvent(
  end: TurnEnd,
  spending?: Spending,
): Extract<EventKind, { case: "error" }> {
  return { case: "error", value: create(ErrorEventSchema, { ...spending, ...end }) };
}
