import { renameSync, writeFileSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

const TOLD_WITHIN_MS = 60_000;
const POLL_MS = 2;

/** In a process that is asked: writes to a file what `look` answers, in JSON, at each SIGUSR2. */
export function tellAtSignal(path: string, look: () => object): void {
  process.on("SIGUSR2", () => {
    // Complete where it is there at all.
    writeFileSync(`${path}.new`, JSON.stringify(look()));
    renameSync(`${path}.new`, path);
  });
}

/** Asks a process that tells so, and answers what it told. Rejects where it does not in time. */
export async function toldAtSignal(pid: number, path: string): Promise<unknown> {
  process.kill(pid, "SIGUSR2");
  const deadline = performance.now() + TOLD_WITHIN_MS;
  for (;;) {
    const told = await readFile(path, "utf8").catch(() => undefined);
    if (told !== undefined) {
      await rm(path);
      return JSON.parse(told);
    }
    if (performance.now() > deadline) throw new Error(`the process does not tell ${path}`);
    await delay(POLL_MS);
  }
}
