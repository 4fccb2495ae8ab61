import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { LoopDelay } from "./loop-delay.ts";
import type { Service } from "./service.ts";

/** What a service's process is to import so that it can be asked for its event loop's delay. */
export const LOOP_RECORDER = fileURLToPath(new URL("loop-delay.ts", import.meta.url));

const TOLD_WITHIN_MS = 10_000;
const POLL_MS = 20;

/** How late a service's event loop ran since this was asked last, or since its start. It imported `LOOP_RECORDER`. */
export async function loopDelayOf({ pid, environment }: Service): Promise<LoopDelay> {
  const path = join(environment.HOME ?? "", "loop-delay");
  process.kill(pid, "SIGUSR2");
  const deadline = performance.now() + TOLD_WITHIN_MS;
  for (;;) {
    const told = await readFile(path, "utf8").catch(() => undefined);
    if (told !== undefined) {
      await rm(path);
      return JSON.parse(told) as LoopDelay;
    }
    if (performance.now() > deadline) throw new Error("the server does not tell its loop's delay");
    await delay(POLL_MS);
  }
}
