import { randomUUID, randomUUIDv7 } from "node:crypto";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import type { TurnEndRecord, TurnStart } from "../../src/store/writes.ts";

/** A caller's turn to be recorded, in a session of its own unless told otherwise. */
export function turnStart(more: Partial<TurnStart> = {}): TurnStart {
  const sessionId = more.sentSessionId || randomUUID();
  return {
    turnId: randomUUIDv7(),
    origin: TurnOrigin.CALLER,
    causeTurnId: "",
    principal: "alice",
    prompt: "look ☃ \u{1d11e}",
    model: "",
    agent: "",
    sentAgentKind: "",
    agents: [{ kind: "driven" }],
    sentSessionId: "",
    sessionKey: "",
    permissionMode: PermissionMode.BYPASS,
    sentPermissionMode: PermissionMode.UNSPECIFIED,
    attachments: [],
    attachmentsDigest: "",
    requestId: "",
    time: 1,
    maxSessionTurns: 100,
    newSession: {
      sessionId,
      agentKind: "driven",
      agent: "the agent",
      model: "the model",
      workspace: `/workspaces/${randomUUID()}`,
      agentSessionId: randomUUID(),
    },
    ...more,
  };
}

/** How a turn ends that has done what it was to do. */
export const SUCCEEDED: TurnEndRecord = {
  state: TurnState.SUCCEEDED,
  errorReason: ErrorReason.UNSPECIFIED,
  permissionDenialCount: 0,
  usage: undefined,
  totalCostUsd: 0,
};
