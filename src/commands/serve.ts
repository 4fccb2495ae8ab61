import { setFlagsFromString } from "node:v8";
import { readSupervision } from "../config/environment.ts";
import { readServeConfig } from "../config/serve-config.ts";
import { createLog, type Log } from "../log.ts";
import { createServerRedaction } from "../server/redaction.ts";
import type { Server } from "../server/running-server.ts";
import { startServer } from "../server/server.ts";
import { ExitStatus } from "./exit-status.ts";
import { LogOutput } from "./log-output.ts";
import { heedSignals } from "./serve-signals.ts";
import { ServiceManager } from "./service-manager.ts";
import { openTerminal } from "./terminal.ts";
import { oneLine, print } from "./terminal-text.ts";

/** Whatever the server makes is its user's alone. */
const OWN_UMASK = 0o077;

/**
 * Serves until a signal ends it, then drains. One line on stdout tells the address once connections are accepted; the log
 * goes to stderr. A second SIGTERM, SIGINT or SIGQUIT, a second later at the earliest, kills what the turns run and ends the process at once; the next start
 * records their ends; so does a defect that nothing caught, with a status of its own. SIGHUP has it read tokens, rules and
 * certificate again; see `heedSignals` for the others.
 *
 * @throws ConfigError for all settings that cannot be used and all variables that are not known.
 */
export async function serve(): Promise<ExitStatus> {
  // Before anything is opened. The agent repairs what is others': its files keep the mode that the operator meant.
  const agentUmask = process.umask(OWN_UMASK);
  boundHeap();
  outliveOutputs();
  const output = new LogOutput(process.stderr.fd);
  let redact = (text: string) => text;
  const log = createLog(
    (line) => output.write(line),
    (text) => redact(text),
  );
  const manager = new ServiceManager(readSupervision(), log);
  const signals = takeSignals(log, manager);
  const config = readServeConfig();
  redact = createServerRedaction(config).text;
  log.level = config.logLevel;
  const server = await startServer(config, log, agentUmask);
  endOnDefect(server, log);
  const terminal = openTerminal(process.stdout, process.stderr, false);
  void terminal.write(print`breakglass serves ${oneLine(server.url, 1000)}\n`);
  manager.ready();
  signals.serve(server);
  await server.closed;
  if (signals.isEnding()) return ExitStatus.ok;
  return server.isFenced ? ExitStatus.fenced : ExitStatus.failed;
}

/** Takes the signals from the start on, and answers those that came before there was a server once there is one. */
function takeSignals(log: Log, manager: ServiceManager) {
  let server: Server | undefined;
  let isEnding = false;
  let reloads = false;
  const drain = () => {
    isEnding = true;
    manager.stopping();
    server?.drain().catch((error: unknown) => {
      log.error("draining failed", { error });
      process.exit(ExitStatus.failed);
    });
  };
  const stopNow = () => {
    server?.stopNow();
    process.exit(ExitStatus.failed);
  };
  const reload = () => {
    reloads = true;
    server?.reload();
  };
  heedSignals({ drain, stopNow, reload }, log);
  return {
    isEnding: () => isEnding,
    serve(started: Server) {
      server = started;
      if (isEnding) drain();
      else if (reloads) reload();
    },
  };
}

/** The terminal or the pipe that they are may go away: that ends no turn. */
function outliveOutputs(): void {
  for (const output of [process.stdout, process.stderr]) output.on("error", () => {});
}

/**
 * What nothing caught leaves the server in a state that nobody knows: it is logged whole, and neither the server nor what
 * its turns run goes on as if nothing were. A promise's rejection that nothing handles comes here too.
 */
function endOnDefect(server: Server, log: Log): void {
  // Before what the other commands do, which is to print it.
  process.prependListener("uncaughtException", (error, origin) => {
    log.error("the server ends by a defect", { origin, error });
    try {
      server.stopNow();
    } finally {
      process.exit(ExitStatus.defect);
    }
  });
}

/**
 * Under load most of the heap is young garbage, and V8, left alone, lets the rest grow threefold before it collects.
 * Together with the small nursery that `npm start` asks for this is 55 MB of growth instead of 110, for no speed (measured).
 */
function boundHeap(): void {
  setFlagsFromString("--heap-growing-percent=20");
}
