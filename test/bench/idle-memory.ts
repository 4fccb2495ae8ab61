import { readFileSync } from "node:fs";
import { say } from "../../src/drill/script.ts";
import { INSTALLED_CLIS } from "../support/installed-clis.ts";
import type { Figure } from "./figure.ts";
import { startLiveService } from "./live-service.ts";
import { heldMegabytes } from "./memory.ts";

const PROCESSES = 4;
const SCRIPT = [{ when: "hello", steps: [say("Hello.")] }];

/** What an idle warm process of the CLI holds, of each version that is tested: its own part of what it maps, and all of it. */
export async function measureIdleMemory(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { version, command } of INSTALLED_CLIS) {
    const settings = { BREAKGLASS_AGENT_COMMAND: command };
    await using live = await startLiveService(SCRIPT, settings);
    for (let n = 0; n < PROCESSES; n++) await live.run({ prompt: "hello" });
    await live.quiet();
    const pids = live.processes();
    if (pids.length !== PROCESSES) throw new Error(`${pids.length} processes are warm`);
    const mean = (of: (pid: number) => number) =>
      pids.reduce((sum, pid) => sum + of(pid), 0) / pids.length;
    const [value, limit] = [mean(proportionalMegabytes), mean(heldMegabytes)];
    figures.push({ figure: `idle process of ${version}, PSS of RSS`, value, unit: "MB", limit });
  }
  return figures;
}

/** Memory with what is shared divided among those who share it. */
function proportionalMegabytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return (Number(/^Pss:\s*(\d+) kB$/m.exec(rollup)?.[1]) * 1024) / 1e6;
}
