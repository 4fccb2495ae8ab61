import type { Message } from "./line.ts";
import * as messages from "./messages.ts";
import { SYNTHETIC_MODEL } from "./synthetic.ts";

/** What the CLI says to a request that it fulfils. */
export type ControlAnswer = Readonly<Record<string, unknown>>;

/** What a `control_response` answers to which request; the answer is undefined where it refuses. Undefined: malformed. */
export function readAnswer(
  message: Message,
): { readonly id: string; readonly answer: ControlAnswer | undefined } | undefined {
  const { response } = messages.controlResponse.safeParse(message).data ?? {};
  if (response === undefined) return undefined;
  const answer = response.subtype === "success" ? (response.response ?? {}) : undefined;
  return { id: response.request_id, answer };
}

/** The request whose answer the CLI waits for no longer, by a `control_cancel_request`. Undefined: malformed. */
export function withdrawnRequest(message: Message): string | undefined {
  return messages.controlCancel.safeParse(message).data?.request_id;
}

/** The message that was taken up, by a `command_lifecycle`. Undefined: it tells of something else. */
export function startedMessage(message: Message): string | undefined {
  const { command_uuid, state } = messages.lifecycle.safeParse(message).data ?? {};
  return state === "started" ? command_uuid : undefined;
}

/** The message that was taken up, by its echo. Undefined: it is none. */
export function echoedMessage(message: Message): string | undefined {
  if (message.isReplay !== true) return undefined;
  return messages.echo.safeParse(message).data?.uuid;
}

/** Whether a message only ever comes within a turn: a result, or the agent's own words. */
export function isOutOfTurn(message: Message): boolean {
  if (message.type === "result") return true;
  if (message.type !== "assistant") return false;
  const { data } = messages.assistant.safeParse(message);
  return data !== undefined && !data.parent_tool_use_id && data.message.model !== SYNTHETIC_MODEL;
}
