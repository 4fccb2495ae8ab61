import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { readTurnEvents } from "#client";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { Log } from "../log.ts";
import { missing } from "./expectations.ts";
import { openDrillStage } from "./stage.ts";

/** Who watches a drill. */
export interface Audience {
  /** A turn is about to run. */
  prompt(prompt: string): Promise<void>;
  /** An event arrived. */
  event(event: TurnEvent): Promise<void>;
  /** The service's own log. */
  readonly log: Log;
  /** Ends the drill early. */
  readonly signal: AbortSignal;
}

/**
 * Rehearses a repair and a turn that remembers it: the real service, the real agent and a real gRPC client, against a
 * scripted model on loopback, in a directory and an environment of its own. Leaves nothing behind.
 *
 * @returns what did not come; empty where the drill succeeded.
 * @throws whatever kept it from being carried out, such as a ConnectError.
 */
export async function runDrill(audience: Audience): Promise<string[]> {
  await using stage = await openDrillStage(audience.log, { latencyMs: 10 });
  const { client, scenario, configPath, serial } = stage;
  const sessionId = randomUUID();
  const take = async (prompt: string) => {
    const events: TurnEvent[] = [];
    await audience.prompt(prompt);
    const run = { sessionId, prompt };
    for await (const event of readTurnEvents(client, { run }, audience.signal)) {
      events.push(event);
      await audience.event(event);
    }
    return events;
  };
  const repair = await take(scenario.repairPrompt);
  const recall = await take(scenario.recallPrompt);
  return missing({ serial, config: await readFile(configPath, "utf8"), repair, recall });
}
