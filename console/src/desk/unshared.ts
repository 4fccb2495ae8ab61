import { isLive, isNotFound, type Turn } from "@breakglass/client";
import type { Account } from "../server/account.svelte.ts";

/** So often the server is asked whether others' sessions are shared still. */
const EVERY_MS = 30_000;
/** Of so many turns at a time. */
const AT_A_TIME = 20;

/**
 * Looks, until the signal aborts, for turns in others' sessions that are not there any more for the caller, and tells of each: of the end of a
 * share a watch says nothing, and the turn would be shown as running for good.
 */
export function followUnshared(
  account: Account,
  turns: ReadonlyMap<string, Turn>,
  signal: AbortSignal,
  gone: (turnId: string) => void,
): void {
  let asked: Promise<void> | undefined;
  const look = async () => {
    const me = account.server?.caller?.principal;
    const others = [...turns.values()].filter(
      ({ state, sessionPrincipal }) => isLive(state) && sessionPrincipal !== me,
    );
    for (const { turnId } of others.slice(-AT_A_TIME)) {
      try {
        await account.client.getTurn({ turnId }, { signal });
      } catch (error) {
        if (!isNotFound(error)) return;
        gone(turnId);
      }
    }
  };
  const timer = setInterval(() => {
    if (document.hidden || asked !== undefined) return;
    asked = look().finally(() => {
      asked = undefined;
    });
  }, EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
}
