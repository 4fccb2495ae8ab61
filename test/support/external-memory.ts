import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PROGRAM } from "./program.ts";
import { type ServeProcess, startServeProcess } from "./serve-process.ts";

/** Has a process collect its garbage and write what it keeps outside the heap, where bodies are, on SIGUSR2. */
const TELLER = `
  import { renameSync, writeFileSync } from "node:fs";
  process.on("SIGUSR2", () => {
    gc();
    const told = process.env.TMPDIR + "/external";
    writeFileSync(told + ".new", String(process.memoryUsage().external));
    renameSync(told + ".new", told);
  });`;

/** Starts `serve` as a process that can be asked what it keeps outside the heap. @param program - What serves: the source has the console. */
export function startWeighedServer(
  root: string,
  variables: Readonly<Record<string, string>>,
  program: string = PROGRAM,
): Promise<ServeProcess> {
  const environment = {
    ...variables,
    TMPDIR: root,
    NODE_OPTIONS: `--expose-gc --import=data:text/javascript,${encodeURIComponent(TELLER)}`,
  };
  return startServeProcess(environment, [], [program, "serve"]);
}

/**
 * What such a server keeps outside the heap, in bytes, as it told last; asks it to tell again. Infinite: it has told
 * nothing yet.
 */
export function externalBytes({ pid }: ServeProcess, root: string): number {
  process.kill(pid, "SIGUSR2");
  try {
    return Number(readFileSync(join(root, "external"), "utf8"));
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
