import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent.ts";
import { noticeEvent } from "../events.ts";
import { withAdvice } from "./advice.ts";
import { MAX_ENTRIES } from "./malformed.ts";
import { type AssistantMessage, textBlock } from "./messages.ts";
import { toInt32 } from "./numbers.ts";

/** The model that the CLI gives for assistant messages which it wrote itself. */
export const SYNTHETIC_MODEL = "<synthetic>";

/** Whether a message that the CLI wrote itself says that the model declined to answer. */
export function isRefusal(message: AssistantMessage): boolean {
  return message.message.stop_reason === "refusal";
}

/** The notice that a message which the CLI wrote itself amounts to: it is never the model's prose. */
export function syntheticNotice(message: AssistantMessage): EventKind {
  const text = syntheticText(message.message.content);
  if (isRefusal(message)) return noticeEvent(NoticeReason.MODEL_REFUSAL, text);
  if (!isApiError(message)) return noticeEvent(NoticeReason.AGENT_WARNING, text);
  return noticeEvent(NoticeReason.API_ERROR, withAdvice(text, message.error), {
    httpStatus: toInt32(message.api_error_status),
  });
}

/** The rest is what a command of the CLI's own printed (`/cost`), or a remark of its own. */
function isApiError(message: AssistantMessage): boolean {
  if (message.local_command_source) return false;
  // Where neither field is there, errors were seen to stop at "stop_sequence" and commands at "end_turn".
  return Boolean(
    message.error ||
      message.is_api_error_message ||
      message.message.stop_reason === "stop_sequence",
  );
}

/** What such a message says, as one text. */
export function syntheticText(content: AssistantMessage["message"]["content"]): string {
  if (typeof content === "string") return content;
  const texts = content
    .slice(0, MAX_ENTRIES)
    .map((block) => textBlock.safeParse(block).data?.text ?? "");
  return texts.filter((text) => text !== "").join("\n");
}
