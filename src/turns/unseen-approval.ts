import { NoticeReason } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent/agent.ts";
import type { ApprovalAnswer } from "../turn-requests.ts";

type Request = Extract<EventKind, { case: "approvalRequest" }>["value"];

/** Whether a tool call can be put to an approver: all of its input is in the event that asks. */
export function isSeenWhole({ truncated }: Request): boolean {
  return !truncated;
}

/** What an agent is told whose tool call nobody can see whole. */
export function unseenAnswer({ totalBytes }: Request): ApprovalAnswer {
  const message = `The tool call was denied, because its input (${totalBytes} bytes of JSON) cannot be shown whole to whoever approves it. Make the call smaller: less content, less nesting, or several calls.`;
  return { allow: false, message };
}

/** The notice of such a denial, in the place of the request. */
export function unseenNotice({ name, totalBytes }: Request): EventKind {
  const message = `${name} was not allowed to run: its input (${totalBytes} bytes of JSON) cannot be shown whole, because it is too large (BREAKGLASS_MAX_EVENT_BYTES) or nested too deep, and nobody approves what cannot be seen`;
  const value = {
    $typeName: "breakglass.v1.NoticeEvent",
    reason: NoticeReason.PERMISSION_DENIED,
    message,
    attempt: 0,
    maxAttempts: 0,
    httpStatus: 0,
  } as const;
  return { case: "notice", value };
}
