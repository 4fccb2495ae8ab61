import { writeSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { readServeConfig } from "../config.ts";
import { createLog } from "../log.ts";
import { startServer } from "../server.ts";
import { ExitStatus } from "./exit-status.ts";

/**
 * Serves until SIGTERM or SIGINT, then drains. One line on stdout tells the address once connections are accepted; the log
 * goes to stderr. A second signal kills what the turns run and ends the process at once; the next start records their ends.
 *
 * @throws ConfigError for the first setting that cannot be used.
 */
export async function serve(): Promise<ExitStatus> {
  boundHeap();
  const log = createLog(writeToStderr);
  const server = await startServer(readServeConfig(), log);
  process.stdout.write(`breakglass serves ${server.url}\n`);
  let draining = false;
  const stop = (signal: NodeJS.Signals) => {
    if (draining) {
      server.stopNow();
      process.exit(ExitStatus.failed);
    }
    draining = true;
    log.info("draining", { signal });
    server.drain().catch((error: unknown) => {
      log.error("draining failed", { error });
      process.exit(ExitStatus.failed);
    });
  };
  process.on("SIGTERM", stop).on("SIGINT", stop);
  await server.closed;
  return draining ? ExitStatus.ok : ExitStatus.failed;
}

/** A log that cannot be written, because its disk is full or its reader is gone, must not end the turns. */
function writeToStderr(line: string): void {
  try {
    writeSync(process.stderr.fd, line);
  } catch {
    // The line is lost; the next one is tried all the same, which a stream that failed once would not do.
  }
}

/**
 * Under load most of the heap is young garbage, and V8, left alone, lets the rest grow threefold before it collects.
 * Together with the small nursery that `npm start` asks for this is 55 MB of growth instead of 110, for no speed (measured).
 */
function boundHeap(): void {
  setFlagsFromString("--heap-growing-percent=20");
}
