import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** How many file descriptors a process has open. */
export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/**
 * Has every open of a process that runs fail, until it is given its descriptors back.
 *
 * @param asUser - A program that runs another as the process's user, and its arguments; none where it is the test's own.
 */
export function takeDescriptors(pid: number, asUser: readonly string[] = []): void {
  setSoftLimit(pid, "10", asUser);
}

/** Gives a process back as many as its hard limit allows. */
export function giveDescriptors(pid: number, asUser: readonly string[] = []): void {
  const limits = readFileSync(`/proc/${pid}/limits`, "utf8");
  setSoftLimit(pid, /^Max open files\s+\S+\s+(\d+)/m.exec(limits)![1]!, asUser);
}

function setSoftLimit(pid: number, limit: string, asUser: readonly string[]): void {
  const [command, ...args] = [...asUser, "prlimit", `--pid=${pid}`, `--nofile=${limit}:`];
  execFileSync(command!, args);
}
