import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SOURCE_PROGRAM } from "../support/program.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { type Figure, median } from "./figure.ts";

const ROUNDS = 7;
/** What a test that starts one for itself can wait. */
const LIMIT_MS = 2000;

/** How long `breakglass fake` takes from its start to its first line, with no home, no CLI and nothing on PATH. */
export async function measureFakeStart(): Promise<Figure[]> {
  const times: number[] = [];
  const temporary = mkdtempSync(join(tmpdir(), "breakglass-bench-"));
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    const variables = { HOME: "/nonexistent", PATH: "/nonexistent", TMPDIR: temporary };
    await using fake = await startServeProcess(
      variables,
      [],
      [SOURCE_PROGRAM, "fake", "--port", "0"],
    );
    times.push(performance.now() - began);
    await fake.end("SIGTERM");
  }
  rmSync(temporary, { recursive: true });
  const value = median(times);
  return [{ figure: "start of the fake", value, unit: "ms", limit: LIMIT_MS, bar: { atMost: 1 } }];
}
