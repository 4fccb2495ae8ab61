import { isFenced } from "../errors.ts";
import { NODE_TIMERS } from "../stream/timers.ts";

const WAIT_MS = { first: 250, longest: 10_000 };

/**
 * Does what the store has to take, however long it takes the store to take it, or until another server has it to do.
 *
 * @param failed - Told of each failure.
 */
export async function retryStorage(
  attempt: () => Promise<void>,
  failed: (error: Error) => void,
  timers = NODE_TIMERS,
): Promise<void> {
  for (let wait = WAIT_MS.first; ; wait = Math.min(2 * wait, WAIT_MS.longest)) {
    try {
      return await attempt();
    } catch (error) {
      failed(error as Error);
      if (isFenced(error)) return;
      // The process need not live for it: the next start does what was not done.
      await timers.delay(wait, { ref: false });
    }
  }
}
