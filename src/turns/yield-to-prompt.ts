import { byDeadline } from "../stream/deadline.ts";
import type { RunningTurn } from "./running-turn.ts";

/** How long an agent's own turn may go on while a prompt waits. */
const YIELD_MS = 10_000;

/** Has the agent's own turn end for a prompt that waits, after a while; nothing where the prompt waits no longer. */
export async function yieldToPrompt(own: RunningTurn, waiting: RunningTurn): Promise<void> {
  const settled = Promise.race([own.ended, waiting.ended]).then(() => true);
  if (await byDeadline(settled, YIELD_MS, false)) return;
  await own.interrupt("prompt").catch(() => own.end({ case: "prompt" }));
}
