import { refusalLines } from "#client";
import { readColorWanted } from "../config/environment.ts";
import { type Audience, runDrill } from "../drill/drill.ts";
import { createLog } from "../log.ts";
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

/** Rehearses a repair and prints it as it happens; what is missing is told on stderr, with the service's log. */
export async function drill(): Promise<ExitStatus> {
  using interrupts = takeInterrupts();
  const terminal = openTerminal(process.stdout, process.stderr, readColorWanted());
  const logLines: string[] = [];
  const audience: Audience = {
    log: createLog((line) => void logLines.push(line)),
    signal: interrupts.first,
    prompt: (prompt) =>
      terminal.write(print`\n${terminal.style("bold", print`« ${hangingText(prompt)} »`)}\n`),
    event: (event) => terminal.write(eventText(event, terminal)),
  };
  await terminal.write(STANDS_IN);
  try {
    const absent = await runDrill(audience);
    if (absent.length > 0)
      return tellFailure(
        absent.map((what) => `missing: ${what}`),
        logLines,
        terminal,
      );
  } catch (error) {
    if (interrupts.first.aborted) return ExitStatus.detached;
    return tellFailure(refusalLines(error) ?? [String(error)], logLines, terminal);
  }
  await terminal.write(
    print`\n${terminal.style("green", print`The drill succeeded.`)}\n${REAL_MODEL}`,
  );
  return ExitStatus.ok;
}

function tellFailure(lines: string[], logLines: string[], terminal: Terminal): ExitStatus {
  for (const line of logLines) terminal.tell(oneLine(line, LINE_CHARACTERS));
  for (const line of lines)
    terminal.tell(print`The drill failed: ${oneLine(line, LINE_CHARACTERS)}`);
  return ExitStatus.failed;
}
