import type { TurnRecord } from "../records.ts";

/** What a list shows of a prompt. */
export const LISTED_PROMPT_BYTES = 4096;

/** Below the 3 MiB of a response, with room for what is not the prompt. */
export const LIST_BYTES = 2_500_000;

/** About what a turn takes in a response, at most. */
export function listedBytes({ prompt, attachments }: TurnRecord): number {
  const files = attachments.length === 0 ? 0 : Buffer.byteLength(JSON.stringify(attachments));
  return Buffer.byteLength(prompt) + files + 1024;
}
