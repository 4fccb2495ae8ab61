import { setTimeout as delay } from "node:timers/promises";
import { heldMegabytes } from "../../bench/memory.ts";

const SAMPLES = 20;
const SAMPLE_MS = 100;

/** The least of its resident set within two seconds, in megabytes: without the garbage that it happens to have. */
export async function settledMegabytes(pid: number): Promise<number> {
  let least = heldMegabytes(pid);
  for (let sample = 0; sample < SAMPLES; sample++) {
    await delay(SAMPLE_MS);
    least = Math.min(least, heldMegabytes(pid));
  }
  return least;
}
