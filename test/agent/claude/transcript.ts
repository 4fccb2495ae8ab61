import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(import.meta.dirname, "transcripts");
const NEWLINE = 0x0a;

/** One recorded run of the CLI. */
export interface Transcript {
  readonly name: string;
  /** What it printed on stdout, without what was sent to it. */
  readonly lines: readonly Buffer[];
  readonly resumed: boolean;
  /** The conversation that it was asked to go on with. Undefined: none, or none by its id. */
  readonly resumedId: string | undefined;
  /** The agent definition that it was asked for. */
  readonly agent: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stderr: string;
}

/** The names of all recorded runs. */
export function transcriptNames(): string[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(".jsonl"));
  return files.map((file) => file.replace(/\.jsonl$/, "")).sort();
}

/** Reads a recorded run. */
export function readTranscript(name: string): Transcript {
  const meta = JSON.parse(readFileSync(join(FOLDER, `${name}.meta.json`), "utf8")) as {
    argv: string[];
    exit_code: number | null;
    stderr: string;
  };
  const agentAt = meta.argv.indexOf("--agent");
  return {
    name,
    lines: printedLines(readFileSync(join(FOLDER, `${name}.jsonl`))),
    resumed: meta.argv.includes("--resume"),
    resumedId: meta.argv[meta.argv.indexOf("--resume") + 1]?.match(/^[\da-f-]{36}$/)?.[0],
    agent: agentAt === -1 ? "claude" : (meta.argv[agentAt + 1] ?? ""),
    exitCode: meta.exit_code !== null && meta.exit_code < 0 ? null : meta.exit_code,
    signal: signalOf(name, meta.exit_code),
    stderr: meta.stderr,
  };
}

function printedLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline === -1 ? bytes.length : newline;
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  const printed = lines.filter((line) => !line.toString("latin1", 0, 2).startsWith("> "));
  return printed.map((line) => (line.toString("latin1", 0, 2) === "< " ? line.subarray(2) : line));
}

/** The runs that a signal ended were recorded with -9, or without a code and with the signal in their name. */
function signalOf(name: string, exitCode: number | null): string | null {
  if (exitCode === -9) return "SIGKILL";
  const named = /sig(?:kill|term|hup)/.exec(name);
  return exitCode === null && named !== null ? named[0].toUpperCase() : null;
}
