import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** The processes that were started with a variable of that value, found without the server's own code. */
export function processesWith(name: string, value: string): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((pid) => isAlive(pid) && environmentOf(pid).includes(`${name}=${value}`))
    .map(Number);
}

/** Between looks, ever longer: to look at all processes can take as long as the first. */
const PAUSE_MS = { first: 10, longest: 200 };

/** Resolves with what `look` finds once that is so, and with what it last found where it does not become so in time. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  isSo: (found: T) => boolean,
  withinMs = 10_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (let pauseMs = PAUSE_MS.first; ; pauseMs = Math.min(pauseMs * 1.25, PAUSE_MS.longest)) {
    const found = await look();
    if (isSo(found) || performance.now() > deadline) return found;
    await delay(pauseMs);
  }
}

function environmentOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return [];
  }
}

function isAlive(pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}
