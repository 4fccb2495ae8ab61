import { setTimeout as delay } from "node:timers/promises";
import { ErrorReason } from "../../gen/breakglass/v1/event_pb.ts";
import type { RunningTurn } from "./running-turn.ts";

/** How long an agent's own turn may go on while a prompt waits. */
const MAKE_WAY_MS = 10_000;

/** Has the agent's own turn end for a prompt that waits, after a while; nothing where the prompt waits no longer. */
export async function makeWay(own: RunningTurn, waiting: RunningTurn): Promise<void> {
  const over = new AbortController();
  void Promise.race([own.ended, waiting.ended]).then(() => over.abort());
  await delay(MAKE_WAY_MS, undefined, { signal: over.signal }).catch(() => {});
  if (over.signal.aborted) return;
  const message = "interrupted for a prompt that waited";
  await own.interrupt(message).catch(() => own.stop({ reason: ErrorReason.CANCELED, message }));
}
