import { readOwnVariables } from "../config/environment.ts";
import { type Fake, startFake } from "../fake/fake.ts";
import { createLog } from "../log.ts";
import { ExitStatus } from "./exit-status.ts";
import { LogOutput } from "./log-output.ts";
import { heedSignals } from "./serve-signals.ts";
import { openTerminal } from "./terminal.ts";
import { oneLine, print } from "./terminal-text.ts";

/** Whatever the fake makes is its user's alone. */
const OWN_UMASK = 0o077;

/** What can be said of a fake. */
export interface FakeCommandOptions {
  readonly script?: string;
  readonly fault?: readonly string[];
  readonly port: number;
  readonly data?: string;
  readonly token?: readonly string[];
}

/**
 * Serves with an agent that plays a script, until a signal ends it; says so and ends as `serve` does. SIGHUP has it read
 * its script again, and what `serve` reads again.
 *
 * @throws ConfigError for all that cannot be used.
 */
export async function fake(given: FakeCommandOptions): Promise<ExitStatus> {
  process.umask(OWN_UMASK);
  for (const output of [process.stdout, process.stderr]) output.on("error", () => {});
  const output = new LogOutput(process.stderr.fd);
  const log = createLog((line) => output.write(line));
  const started = Promise.withResolvers<Fake>();
  const ended = Promise.withResolvers<ExitStatus>();
  const then = (work: (started: Fake) => Promise<unknown>, status?: ExitStatus) => {
    started.promise.then(work).then(
      () => status !== undefined && ended.resolve(status),
      (error: unknown) => {
        log.error("the fake failed", { error });
        if (status !== undefined) ended.resolve(ExitStatus.failed);
      },
    );
  };
  heedSignals(
    {
      drain: () => then((it) => it.stop(), ExitStatus.ok),
      stopNow: () => then((it) => it.stopNow(), ExitStatus.failed),
      reload: () => then((it) => readAgain(it, given.script)),
    },
    log,
  );
  await using running = await startFake({
    script: given.script,
    faults: given.fault,
    port: given.port,
    dataDir: given.data,
    tokens: given.token,
    settings: readOwnVariables(),
    log: (line) => output.write(line),
  });
  void running.defect.then((error) => {
    log.error("the fake ends by a defect", { error });
    ended.resolve(ExitStatus.defect);
  });
  const terminal = openTerminal(process.stdout, process.stderr, false);
  void terminal.write(print`breakglass serves ${oneLine(running.url, 1000)}\n`);
  started.resolve(running);
  return await ended.promise;
}

async function readAgain(fake: Fake, script: string | undefined): Promise<void> {
  if (script !== undefined) await fake.setScript(script);
  await fake.reload();
}
