import { resolve } from "node:path";
import { readColorWanted } from "../config/environment.ts";
import { type Finding, runDoctor } from "../drill/doctor.ts";
import { createLog } from "../log.ts";
import { ExitStatus } from "./exit-status.ts";
import { takeInterrupts } from "./interrupts.ts";
import { openTerminal, type Terminal } from "./terminal.ts";
import { oneLine, print, terminalText } from "./terminal-text.ts";

const LINE_CHARACTERS = 1000;

/** What is examined, and how it is told. */
export interface DoctorOptions {
  /** The CLI's executable; `true`: the one that is served with. */
  readonly agent?: string | true;
  readonly json?: boolean;
}

/** Tells which facts that the adapter rests on hold of a CLI, and what does not work where one does not. */
export async function doctor({ agent, json = false }: DoctorOptions): Promise<ExitStatus> {
  using interrupts = takeInterrupts();
  const terminal = openTerminal(process.stdout, process.stderr, readColorWanted());
  const command = typeof agent === "string" ? pathOf(agent) : undefined;
  const log = createLog(() => {});
  try {
    const isSound = await runDoctor(command, log, interrupts.first, (finding) =>
      terminal.write(
        json ? print`${terminalText(JSON.stringify(finding))}\n` : findingText(finding, terminal),
      ),
    );
    return isSound ? ExitStatus.ok : ExitStatus.failed;
  } catch (error) {
    if (interrupts.first.aborted) return ExitStatus.detached;
    throw error;
  }
}

/** A name without a slash is looked for on PATH. */
function pathOf(agent: string): string {
  return agent.includes("/") ? resolve(agent) : agent;
}

function findingText({ holds, text, seen, without }: Finding, terminal: Terminal) {
  const what = oneLine(text, LINE_CHARACTERS);
  if (holds) return print`${terminal.style("green", print`holds`)}  ${what}\n`;
  const mark = terminal.style("red", print`fails`);
  const why = oneLine(seen, LINE_CHARACTERS);
  return print`${mark}  ${what}\n       seen: ${why}\n       so: ${oneLine(without, LINE_CHARACTERS)}\n`;
}
