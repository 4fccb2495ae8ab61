import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { AgentControls } from "./agent-controls.ts";
import { AGENT_VERSION, failure } from "./agent-messages.ts";
import type { AgentOpening, AgentTurns } from "./agent-turns.ts";

/**
 * Takes the Claude Code CLI's place in this process: the same arguments, input, output and files. It takes prompt after
 * prompt until its stdin ends.
 *
 * @param turnsOf - Makes what becomes of the prompts.
 * @param initialized - Is called whenever the agent has been initialized.
 */
export function runAgent<S>(
  turnsOf: (opening: AgentOpening) => AgentTurns<S>,
  initialized: (turns: AgentTurns<S>) => void = () => {},
): void {
  if (process.argv.includes("--version")) {
    process.stdout.write(`${AGENT_VERSION} (scripted)\n`);
    return;
  }
  const projects = join(process.env.CLAUDE_CONFIG_DIR || join(homedir(), ".claude"), "projects");
  const sessionId = argumentOf("--resume") ?? argumentOf("--session-id") ?? "";
  const record = join(projects, "scripted", `${sessionId}.jsonl`);
  const mode = argumentOf("--permission-mode") ?? "default";
  const turns = turnsOf({ sessionId, record, mode });
  const controls = new AgentControls(turns, () => initialized(turns));
  const input = createInterface({ input: process.stdin });
  input.on("line", (line) => {
    const message = JSON.parse(line);
    if (message.type === "user") turns.add(message);
    else controls.take(message);
  });
  input.on("close", () => turns.endInput());
  refuseWrongOpening(sessionId, record);
}

/** The CLI knows its conversations by its own files, and is asked to open or to go on with one. */
function refuseWrongOpening(sessionId: string, record: string): void {
  if (process.argv.includes("--resume") && !existsSync(record)) {
    const error = `No conversation found with session ID: ${sessionId}`;
    process.stdout.write(`${JSON.stringify(failure(sessionId, error))}\n`);
    process.stderr.write(`${error}\n`);
    process.exit(1);
  }
  if (process.argv.includes("--session-id") && existsSync(record)) {
    process.stderr.write(`Error: Session ID ${sessionId} is already in use.\n`);
    process.exit(1);
  }
}

function argumentOf(option: string): string | undefined {
  const index = process.argv.indexOf(option);
  return index === -1 ? undefined : process.argv[index + 1];
}
