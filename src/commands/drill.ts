import { refusalLines } from "#client";
import { readColorWanted } from "../config/environment.ts";
import { type ConsoleAudience, runConsoleDrill } from "../drill/console-drill.ts";
import { type Audience, runDrill } from "../drill/drill.ts";
import { type ReplicasAudience, runReplicasDrill } from "../drill/replicas-drill.ts";
import { createLog } from "../log.ts";
import { NoPostgresError } from "../replicas/local-postgres.ts";
import { calledAs } from "./command-form.ts";
import { eventText } from "./event-text.ts";
import { ExitStatus } from "./exit-status.ts";
import { takeInterrupts } from "./interrupts.ts";
import { openTerminal, type Terminal } from "./terminal.ts";
import { hangingText, oneLine, print } from "./terminal-text.ts";

const LINE_CHARACTERS = 4000;

const STANDS_IN = print`This is a drill: the model is scripted, on loopback, with no key and no network; the service, the agent, its tools and the gRPC client are real.\n`;
const REAL_MODEL = print`
Against the real model:
  ANTHROPIC_API_KEY=… ${calledAs()} serve
  ${calledAs()} run "What is wrong with this machine?"
`;

/** So much of the service's log is kept, for what fails. */
const LOG_LINES = 200;

/** What can be said of a drill. */
export interface DrillOptions {
  /** In the console, for a person, until Ctrl-C. */
  readonly console?: boolean;
  /** With so many servers on one database. Left out: with one that needs none. */
  readonly replicas?: number;
}

/** Rehearses a repair and prints it as it happens; what is missing is told on stderr, with the service's log. */
export async function drill(given: DrillOptions = {}): Promise<ExitStatus> {
  using interrupts = takeInterrupts();
  const ended = endedByTerm();
  const terminal = openTerminal(process.stdout, process.stderr, readColorWanted());
  const logLines: string[] = [];
  const logLine = (line: string) => {
    logLines.push(line);
    if (logLines.length > LOG_LINES) logLines.shift();
  };
  const audience: Audience = {
    log: createLog(logLine),
    signal: AbortSignal.any([interrupts.first, ended]),
    prompt: (prompt) =>
      terminal.write(print`\n${terminal.style("bold", print`« ${hangingText(prompt)} »`)}\n`),
    event: (event) => terminal.write(eventText(event, terminal)),
  };
  await terminal.write(STANDS_IN);
  try {
    if (given.console) {
      await runConsoleDrill(consoleAudience(audience, terminal));
      return ExitStatus.ok;
    }
    const absent =
      given.replicas === undefined
        ? await runDrill(audience)
        : await runReplicasDrill(
            { count: given.replicas },
            replicasAudience({ ...audience, logLine }, terminal),
          );
    if (absent.length > 0)
      return tellFailure(
        absent.map((what) => `missing: ${what}`),
        logLines,
        terminal,
      );
  } catch (error) {
    if (audience.signal.aborted) return ExitStatus.detached;
    // Nothing of the drill's has failed.
    if (error instanceof NoPostgresError) throw error;
    return tellFailure(refusalLines(error) ?? [String(error)], logLines, terminal);
  }
  await terminal.write(
    print`\n${terminal.style("green", print`The drill succeeded.`)}\n${REAL_MODEL}`,
  );
  return ExitStatus.ok;
}

function consoleAudience(audience: Audience, terminal: Terminal): ConsoleAudience {
  return {
    ...audience,
    ready: (url) =>
      terminal.write(
        print`\nOpen ${terminal.style("bold", print`${oneLine(url, LINE_CHARACTERS)}/`)} in a browser of this machine: a repair waits there for your approval.\nCtrl-C ends the drill, and leaves nothing behind.\n`,
      ),
  };
}

function replicasAudience(
  audience: Omit<ReplicasAudience, "note">,
  terminal: Terminal,
): ReplicasAudience {
  const note = (text: string) =>
    terminal.write(print`\n${terminal.style("yellow", print`— ${hangingText(text)}`)}\n`);
  return { ...audience, note };
}

/** Aborts when a service manager or a closed terminal ends the command: it cleans up as after Ctrl-C. */
function endedByTerm(): AbortSignal {
  const over = new AbortController();
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.once(signal, () => over.abort());
  return over.signal;
}

function tellFailure(lines: string[], logLines: string[], terminal: Terminal): ExitStatus {
  for (const line of logLines) terminal.tell(oneLine(line, LINE_CHARACTERS));
  for (const line of lines)
    terminal.tell(print`The drill failed: ${oneLine(line, LINE_CHARACTERS)}`);
  return ExitStatus.failed;
}
