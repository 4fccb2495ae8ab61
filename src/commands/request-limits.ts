// What no server takes more of, by the contract or by the most that its settings allow: a command stops reading there.

/** A prompt. */
export const MAX_PROMPT_BYTES = 8 * 1024 * 1024;
/** A message for a running turn. */
export const MAX_MESSAGE_BYTES = 64 * 1024;
/** The input of a tool call. */
export const MAX_INPUT_BYTES = 1024 * 1024;
