import { readFileSync } from "node:fs";

/** Linux's unit of processor time, the same everywhere: USER_HZ is 100. */
const TICK_MS = 10;

/** The processor time that a process has taken with all its threads, its children's not, in milliseconds. Linux only. */
export function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The command's name may hold anything, parentheses and spaces too.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
