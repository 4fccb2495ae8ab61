import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { toldAtSignal } from "../support/told-by-signal.ts";
import type { LoopDelay } from "./loop-delay.ts";
import type { Service } from "./service.ts";

/** What a service's process is to import so that it can be asked for its event loop's delay. */
export const LOOP_RECORDER = fileURLToPath(new URL("loop-delay.ts", import.meta.url));

/** How late a service's event loop ran since this was asked last, or since its start. It imported `LOOP_RECORDER`. */
export async function loopDelayOf({ pid, environment }: Service): Promise<LoopDelay> {
  return (await toldAtSignal(pid, join(environment.HOME ?? "", "loop-delay"))) as LoopDelay;
}
