import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { CaseResult } from "../../src/conformance/run-case.ts";
import { COMPILE_CACHE } from "../support/compile-cache.ts";
import { NODE_FLAGS, SOURCE_PROGRAM } from "../support/program.ts";

/** How a run of the kit ended. */
export interface KitRun {
  readonly status: number | null;
  readonly results: readonly (CaseResult & { readonly passed: boolean })[];
  readonly stderr: string;
}

/** Runs `breakglass conformance --json` with those options and a client under test. */
export async function runKit(
  options: readonly string[],
  command: readonly string[],
): Promise<KitRun> {
  const args = [SOURCE_PROGRAM, "conformance", "--json", ...options, "--", ...command];
  const child = spawn(process.execPath, [...NODE_FLAGS, ...args], {
    env: { PATH: process.env.PATH, ...COMPILE_CACHE },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  const lines = stdout.trim().split("\n").filter(Boolean);
  return {
    status: status as number | null,
    results: lines.map((line) => JSON.parse(line)),
    stderr,
  };
}
