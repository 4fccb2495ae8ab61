import { randomUUID } from "node:crypto";
import { ErrorReason, TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode, TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { AuditEntry } from "../../audit/entry.ts";
import type { TurnEndRecord, TurnStart } from "../writes.ts";
import { append } from "./append.ts";
import type { FileLeases } from "./file-leases.ts";
import { startTurn } from "./start-turn.ts";
import type { Tables } from "./tables.ts";

/** No principal has the name: one has no spaces. */
const NOBODY = "nobody at all";
const AGENT = "trial";

/**
 * Writes what a turn writes, from its start in a new session to its end. It is to be undone.
 *
 * @param audit - What goes on the audit chain with the start, and with the end.
 */
export function tryTurn(
  tables: Tables,
  audit: readonly AuditEntry[],
  epoch: number,
  leases: FileLeases,
): void {
  const turnId = randomUUID();
  const time = Date.now();
  startTurn(tables, { ...startOf(turnId, time), audit }, epoch, leases);
  const event = { turnId, firstSequence: 1, events: [new Uint8Array(1)], time };
  append(tables, { ...event, audit, end: END }, epoch, leases);
}

/** The start of a turn that is to be undone. */
export function startOf(turnId: string, time: number): TurnStart {
  const newSession = {
    ...{ sessionId: randomUUID(), agentKind: AGENT, agent: "", model: "" },
    ...{ workspace: `/${turnId}`, agentSessionId: "" },
  };
  return {
    ...{ turnId, origin: TurnOrigin.CALLER, causeTurnId: "", principal: NOBODY, prompt: AGENT },
    ...{ model: "", agent: "", sentAgentKind: "", agents: [{ kind: AGENT }] },
    ...{ sentSessionId: "", sessionKey: "", requestId: turnId, time, maxSessionTurns: 1 },
    ...{ permissionMode: PermissionMode.ASK, sentPermissionMode: PermissionMode.ASK },
    ...{ attachments: [], attachmentsDigest: "", newSession },
  };
}

/** Its end. */
export const END: TurnEndRecord = {
  ...{ state: TurnState.SUCCEEDED, errorReason: ErrorReason.UNSPECIFIED, permissionDenialCount: 0 },
  ...{ usage: undefined, totalCostUsd: 0 },
};
