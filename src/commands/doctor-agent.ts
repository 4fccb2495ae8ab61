import { type Finding, runDoctor } from "../drill/doctor.ts";
import { createLog } from "../log.ts";
import { ExitStatus } from "./exit-status.ts";
import type { Interrupts } from "./interrupts.ts";
import type { Terminal } from "./terminal.ts";
import { oneLine, print, terminalText } from "./terminal-text.ts";

const LINE_CHARACTERS = 1000;

/**
 * Tells which facts that the adapter rests on hold of a CLI, and what does not work where one does not.
 *
 * @param command - Undefined: the one that is served with.
 */
export async function doctorOfAgent(
  command: string | undefined,
  interrupts: Interrupts,
  terminal: Terminal,
  json: boolean,
): Promise<ExitStatus> {
  const log = createLog(() => {});
  const isSound = await runDoctor(command, log, interrupts.first, (finding) =>
    terminal.write(
      json ? print`${terminalText(JSON.stringify(finding))}\n` : findingText(finding, terminal),
    ),
  );
  return isSound ? ExitStatus.ok : ExitStatus.failed;
}

function findingText({ holds, text, seen, without }: Finding, terminal: Terminal) {
  const what = oneLine(text, LINE_CHARACTERS);
  if (holds) return print`${terminal.style("green", print`holds`)}  ${what}\n`;
  const mark = terminal.style("red", print`fails`);
  const why = oneLine(seen, LINE_CHARACTERS);
  return print`${mark}  ${what}\n       seen: ${why}\n       so: ${oneLine(without, LINE_CHARACTERS)}\n`;
}
