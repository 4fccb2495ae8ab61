import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

const LOOK_MS = 50;
const STEADY_LOOKS = 4;
/** Local port, state (01: established) and the bytes that wait to be sent. */
const ROW = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) \S+ 01 ([0-9A-F]{8}):/;

/** Bytes that wait in the kernel to be sent by those at a port. Linux only. */
export function waitingBytes(port: number): number {
  return queuesOf(port).reduce((sum, bytes) => sum + bytes, 0);
}

/** How many connections those at a port have. Linux only. */
export function connectionsOf(port: number): number {
  return queuesOf(port).length;
}

function queuesOf(port: number): number[] {
  return readFileSync("/proc/net/tcp", "latin1")
    .split("\n")
    .flatMap((line) => {
      const [, local = "", toSend = ""] = ROW.exec(line) ?? [];
      return Number.parseInt(local, 16) === port ? [Number.parseInt(toSend, 16)] : [];
    });
}

/** Resolves once a value has not changed for a while, with the value; or with the last one after `withinMs`. */
export async function steady<T>(
  look: () => T | Promise<T>,
  isSo: (value: T) => boolean,
  withinMs: number,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  let value = await look();
  for (let same = 0; same < STEADY_LOOKS && performance.now() < deadline; ) {
    await delay(LOOK_MS);
    const next = await look();
    same = isSo(next) && JSON.stringify(next) === JSON.stringify(value) ? same + 1 : 0;
    value = next;
  }
  return value;
}
