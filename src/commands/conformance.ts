import { readColorWanted } from "../config/environment.ts";
import type { ConformanceCase } from "../conformance/case.ts";
import { readCases } from "../conformance/case-files.ts";
import { PROTOCOLS, runConformance } from "../conformance/conformance.ts";
import { isForReplicas } from "../conformance/replica-servers.ts";
import type { CaseResult } from "../conformance/run-case.ts";
import { ExitStatus } from "./exit-status.ts";
import { takeInterrupts } from "./interrupts.ts";
import { openTerminal, type Terminal } from "./terminal.ts";
import { oneLine, print, terminalText } from "./terminal-text.ts";
import { UsageError } from "./usage-error.ts";

const LINE_CHARACTERS = 2000;

/** What is run, and how it is told. */
export interface ConformanceOptions {
  readonly only?: readonly string[];
  readonly skip?: readonly string[];
  readonly protocol?: readonly string[];
  readonly jobs?: number;
  readonly replicas?: number;
  readonly list?: boolean;
  readonly json?: boolean;
}

/** Runs a client under test through the kit's cases, and tells which of them hold. */
export async function conformance(
  command: readonly string[],
  options: ConformanceOptions,
): Promise<ExitStatus> {
  using interrupts = takeInterrupts();
  const terminal = openTerminal(process.stdout, process.stderr, readColorWanted());
  const cases = chosenCases(options);
  const { protocol = PROTOCOLS, list = false, json = false, jobs, replicas } = options;
  const protocols = [...new Set(protocol)];
  if (list) {
    for (const one of cases) terminal.write(json ? jsonLine(listed(one)) : caseLine(one, terminal));
    return ExitStatus.ok;
  }
  if (command.length === 0) {
    throw new UsageError("it takes the client's command: breakglass conformance -- COMMAND …");
  }
  const table = new ResultTable(cases, protocols, terminal);
  // SIGTERM is how a time limit of CI ends it: nothing is to be left behind then either.
  const terminated = new AbortController();
  const terminate = () => terminated.abort();
  process.once("SIGTERM", terminate);
  using _deaf = { [Symbol.dispose]: () => void process.off("SIGTERM", terminate) };
  const signal = AbortSignal.any([interrupts.first, terminated.signal]);
  const began = performance.now();
  try {
    await runConformance({ cases, command, protocols, jobs, replicas, signal }, (result) => {
      if (json) terminal.write(jsonLine({ ...result, passed: result.problems.length === 0 }));
      table.take(result, json);
    });
  } catch (error) {
    if (signal.aborted) return ExitStatus.detached;
    throw inOwnWords(error, command);
  }
  if (!json) table.sum(performance.now() - began);
  return table.failed === 0 ? ExitStatus.ok : ExitStatus.failed;
}

/** What is wrong with a command that cannot be started. */
function inOwnWords(error: unknown, [program = ""]: readonly string[]): unknown {
  const { code, syscall = "" } = error as NodeJS.ErrnoException;
  if (code === undefined || !syscall.startsWith("spawn")) return error;
  return new UsageError(`the client's command cannot be started: ${program} (${code})`);
}

/** Those of the kit that the patterns choose. */
function chosenCases({ only, skip = [], replicas }: ConformanceOptions): ConformanceCase[] {
  const cases = readCases().filter((one) => replicas === undefined || isForReplicas(one));
  for (const pattern of [...(only ?? []), ...skip]) {
    if (!cases.some(({ name }) => fits(name, pattern))) {
      throw new UsageError(`no case is called ${pattern}; --list has all of them`);
    }
  }
  const chosen = cases.filter(
    ({ name }) =>
      (only === undefined || only.some((pattern) => fits(name, pattern))) &&
      !skip.some((pattern) => fits(name, pattern)),
  );
  // Nothing that was tried would look as if all of it held.
  if (chosen.length === 0) throw new UsageError("--skip leaves no case to run");
  return chosen;
}

/** Whether a pattern means a case: its name, its file's (`cuts`), or either with `*` for anything. */
function fits(name: string, pattern: string): boolean {
  const source = pattern
    .split("*")
    .map((part) => RegExp.escape(part))
    .join(".*");
  return new RegExp(`^${source}(/.*)?$`).test(name);
}

function listed({ name, holds, call }: ConformanceCase) {
  return { name, holds, call };
}

function jsonLine(value: object) {
  return print`${terminalText(JSON.stringify(value))}\n`;
}

function caseLine({ name, holds }: ConformanceCase, terminal: Terminal) {
  const title = terminal.style("bold", oneLine(name, LINE_CHARACTERS));
  return print`${title}\n    ${oneLine(holds, LINE_CHARACTERS)}\n`;
}

/** Results by case: a line for each, with a column for each protocol, once it is whole; and what does not hold, below it. */
class ResultTable {
  failed = 0;
  #passed = 0;
  readonly #protocols: readonly string[];
  readonly #terminal: Terminal;
  readonly #width: number;
  readonly #open = new Map<string, CaseResult[]>();

  constructor(cases: readonly ConformanceCase[], protocols: readonly string[], terminal: Terminal) {
    this.#protocols = protocols;
    this.#terminal = terminal;
    this.#width = Math.max(0, ...cases.map(({ name }) => name.length));
  }

  take(result: CaseResult, isQuiet: boolean): void {
    if (result.problems.length === 0) this.#passed++;
    else this.failed++;
    if (isQuiet) return;
    const results = [...(this.#open.get(result.name) ?? []), result];
    this.#open.set(result.name, results);
    if (results.length === this.#protocols.length) this.#line(result.name, results);
  }

  sum(ms: number): void {
    const all = this.#passed + this.failed;
    const over = this.#protocols.join(", ");
    const seconds = (ms / 1000).toFixed(1);
    const how =
      this.failed === 0 ? "all of them hold" : `${this.#passed} hold, ${this.failed} do not`;
    this.#terminal.write(
      print`\n${oneLine(`${all} cases over ${over}: ${how} (${seconds} s)`, LINE_CHARACTERS)}\n`,
    );
  }

  #line(name: string, results: readonly CaseResult[]): void {
    const { style, write } = this.#terminal;
    const marks = this.#protocols.map((protocol) => {
      const holds = results.find((one) => one.protocol === protocol)?.problems.length === 0;
      return style(
        holds ? "green" : "red",
        oneLine(`${holds ? "holds" : "FAILS"} ${protocol}`, 80),
      );
    });
    const margin = terminalText(" ".repeat(this.#width - name.length));
    write(
      print`${oneLine(name, LINE_CHARACTERS)}${margin}  ${marks.reduce((so, mark) => print`${so}  ${mark}`)}\n`,
    );
    const bad = results.filter(({ problems }) => problems.length > 0);
    if (bad.length > 0) write(print`    ${oneLine(results[0]!.holds, LINE_CHARACTERS)}\n`);
    for (const { protocol, problems } of bad) {
      for (const problem of problems) {
        write(print`    ${oneLine(`${protocol}: ${problem}`, LINE_CHARACTERS)}\n`);
      }
    }
  }
}
