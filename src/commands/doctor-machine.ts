import { examineMachine, type MachineFinding } from "../doctor/examine-machine.ts";
import { ExitStatus } from "./exit-status.ts";
import type { Interrupts } from "./interrupts.ts";
import type { Terminal } from "./terminal.ts";
import { oneLine, type Printable, print, terminalText } from "./terminal-text.ts";

const LINE_CHARACTERS = 1000;
const MARKS = {
  well: ["green", print`ok     `],
  warning: ["yellow", print`warning`],
  failure: ["red", print`failed `],
} as const;

/** Tells how a machine stands that a server is to run on, part by part, each with what mends it. */
export async function doctorOfMachine(
  interrupts: Interrupts,
  terminal: Terminal,
  json: boolean,
): Promise<ExitStatus> {
  const isSound = await examineMachine(undefined, interrupts.first, (finding) =>
    terminal.write(
      json ? print`${terminalText(JSON.stringify(shown(finding)))}\n` : line(finding, terminal),
    ),
  );
  return isSound ? ExitStatus.ok : ExitStatus.failed;
}

function shown({ check, text, problem }: MachineFinding) {
  return { check, outcome: problem?.severity ?? "well", text, mend: problem?.mend ?? "" };
}

function line({ check, text, problem }: MachineFinding, terminal: Terminal): Printable {
  const [color, mark] = MARKS[problem?.severity ?? "well"];
  const what = print`${terminal.style(color, mark)}  ${terminalText(check.padEnd(11))}  ${oneLine(text, LINE_CHARACTERS)}\n`;
  if (problem === undefined) return what;
  return print`${what}                      so: ${oneLine(problem.mend, LINE_CHARACTERS)}\n`;
}
