import { readFileSync, writeFileSync } from "node:fs";

/** Forgets the most memory that a process ever held, so that `peakMegabytes` tells of what comes now. Linux only. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** The most memory that a process held (its resident set) since `resetPeak`. */
export function peakMegabytes(pid: number): number {
  return statusField(pid, "VmHWM");
}

/** The memory that a process holds now (its resident set). */
export function heldMegabytes(pid: number): number {
  return statusField(pid, "VmRSS");
}

function statusField(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/status has no ${name}`);
  return (Number(kilobytes) * 1024) / 1e6;
}
