import type { ChatCompletionRequest, ChatMessage } from "@copilotkit/aimock";

/** What the model was sent, as far as a script cares. */
export interface Conversation {
  /** What the person asked, oldest first, without the reminders and notifications that the agent adds. */
  readonly prompts: readonly string[];
  /** What tools answered in all turns, oldest first. */
  readonly toolOutputs: readonly string[];
  /** What the model itself said, oldest first. */
  readonly replies: readonly string[];
  /** How many times the model has answered since the last prompt: 0 for the first call of a turn. */
  readonly callsInTurn: number;
}

/** Reads a request for the model. */
export function readConversation({ messages }: ChatCompletionRequest): Conversation {
  const prompts = messages.map(promptOf);
  const last = prompts.findLastIndex((prompt) => prompt !== "");
  return {
    prompts: prompts.filter((prompt) => prompt !== ""),
    toolOutputs: messages.filter(({ role }) => role === "tool").map(textOf),
    replies: messages.filter(({ role }) => role === "assistant").map(textOf),
    callsInTurn: messages.slice(last + 1).filter(({ role }) => role === "assistant").length,
  };
}

// The agent puts its reminders in the same message as the prompt, and beside tool results; and 2.1.197 tells of the end of a
// task in the background as a person would.
function promptOf(message: ChatMessage): string {
  if (message.role !== "user") return "";
  return textOf(message)
    .replace(/<(system-reminder|task-notification)>[\s\S]*?<\/\1>/g, "")
    .trim();
}

function textOf({ content }: ChatMessage): string {
  if (typeof content === "string") return content;
  return (content ?? []).map((part) => part.text ?? "").join("");
}
