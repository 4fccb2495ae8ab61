import { setTimeout } from "node:timers/promises";
import type { HandlerContext } from "@connectrpc/connect";

/**
 * Waits for so many milliseconds.
 *
 * @throws What the call was ended by meanwhile.
 */
export async function pause(ms: number | undefined, { signal }: HandlerContext): Promise<void> {
  if (ms) await setTimeout(ms, undefined, { signal }).catch(() => {});
  signal.throwIfAborted();
}
