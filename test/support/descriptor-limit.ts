import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** How many file descriptors a process has open. */
export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Has every open of a process that runs fail, until it is given its descriptors back. */
export function takeDescriptors(pid: number): void {
  execFileSync("prlimit", [`--pid=${pid}`, "--nofile=10:"]);
}

/** Gives a process back as many as its hard limit allows. */
export function giveDescriptors(pid: number): void {
  const limits = readFileSync(`/proc/${pid}/limits`, "utf8");
  const hard = /^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1];
  execFileSync("prlimit", [`--pid=${pid}`, `--nofile=${hard}:`]);
}
