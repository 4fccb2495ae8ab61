import { once } from "node:events";
import { isClosedConnection, readTurnEvents } from "#client";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { Audience } from "./drill.ts";
import { openDrillStage } from "./stage.ts";

/** Who watches a drill of the page. */
export interface ConsoleAudience extends Audience {
  /** The page can be opened. */
  ready(url: string): Promise<void>;
}

/** A person reads along. */
const PACE = { latencyMs: 60 };
/** Whoever opens the page finds the approval waiting, also after lunch. */
const PATIENCE = {
  BREAKGLASS_PERMISSION_MODE: "ask",
  BREAKGLASS_TURN_TIMEOUT_SECONDS: "86400",
  BREAKGLASS_APPROVAL_SECONDS: "86400",
};

/**
 * Rehearses the console: a repair begins at once in the mode ASK and waits for an approval, as it would for somebody who is called at night.
 * Whoever opens the page answers it there. The service stays, for more turns, until the signal aborts. Leaves nothing behind.
 *
 * @throws whatever kept it from being carried out, such as a ConnectError.
 */
export async function runConsoleDrill(audience: ConsoleAudience): Promise<void> {
  const { signal } = audience;
  await using stage = await openDrillStage(audience.log, PACE, PATIENCE);
  if (signal.aborted) return;
  await audience.ready(stage.url);
  const prompt = stage.scenario.repairPrompt;
  await audience.prompt(prompt);
  const run = { prompt, permissionMode: PermissionMode.ASK };
  try {
    for await (const event of readTurnEvents(stage.client, { run }, signal))
      await audience.event(event);
  } catch (error) {
    if (!signal.aborted && !isClosedConnection(error)) throw error;
  }
  if (!signal.aborted) await once(signal, "abort");
}
