import { once } from "node:events";
import { createWriteStream } from "node:fs";

/** How many lines, but for the first and the last, a recorded turn has; every fourth yields no event. */
export const RECORDED_LINES = 200_000;
const LINE_BYTES = 360;
const WRITTEN_TOGETHER = 2000;

const SESSION = "634b5942-1bb0-4605-aa4d-e331f23a2993";
const ENVELOPE = {
  parent_tool_use_id: null,
  session_id: SESSION,
  uuid: "d8526a8a-5d90-4f48-b54d-aaab1eba2871",
};
const PROSE = "the unit failed, its port is taken; ";

/**
 * Writes what the CLI would print in a long turn: a quarter each of text, tool calls, their results, and lines that mean
 * no event, between an init and a result; 72 MB for as many lines as there are by default.
 */
export async function writeRecordedTurn(
  path: string,
  lineCount: number = RECORDED_LINES,
): Promise<void> {
  const file = createWriteStream(path);
  file.write(line(init));
  for (let first = 0; first < lineCount; first += WRITTEN_TOGETHER) {
    const lines = Array.from(
      { length: Math.min(WRITTEN_TOGETHER, lineCount - first) },
      (_, index) => recorded(first + index),
    );
    if (!file.write(lines.join(""))) await once(file, "drain");
  }
  file.end(line(result));
  await once(file, "close");
}

function recorded(number: number): string {
  const id = String(number).padStart(8, "0");
  const shape = [text, tool, toolResult, noise][number % 4]!;
  const bare = line(shape(id, ""));
  return line(shape(id, PROSE.repeat(10).slice(0, Math.max(0, LINE_BYTES - bare.length))));
}

function text(id: string, filler: string) {
  return assistant(id, { type: "text", text: filler });
}

function tool(id: string, filler: string) {
  return assistant(id, {
    type: "tool_use",
    id: `toolu_${id}`,
    name: "Bash",
    input: { command: filler },
  });
}

function toolResult(id: string, filler: string) {
  const content = [{ tool_use_id: `toolu_${id}`, type: "tool_result", content: filler }];
  return { type: "user", message: { role: "user", content }, ...ENVELOPE };
}

function noise(id: string, filler: string) {
  const hook = { hook_id: id, hook_name: "PostToolUse:Bash", hook_event: "PostToolUse" };
  const said = { output: filler, stderr: "", exit_code: 0, outcome: "success" };
  return { type: "system", subtype: "hook_response", ...hook, ...said, ...ENVELOPE };
}

function assistant(id: string, block: object) {
  const usage = { input_tokens: 1000, output_tokens: 1 };
  const model = "claude-sonnet-5-5";
  const role = "assistant";
  const message = { id: `msg_${id}`, type: "message", role, model, content: [block], usage };
  return { type: "assistant", message, ...ENVELOPE };
}

const init = {
  type: "system",
  subtype: "init",
  cwd: "/",
  session_id: SESSION,
  tools: ["Bash"],
  model: "claude-sonnet-5-5",
  agents: ["breakglass"],
  claude_code_version: "2.1.330",
};

const result = {
  type: "result",
  subtype: "success",
  is_error: false,
  result: "done",
  num_turns: 1,
  stop_reason: "end_turn",
  duration_ms: 1,
  total_cost_usd: 0.1,
  usage: { input_tokens: 1000, output_tokens: 25 },
  permission_denials: [],
  session_id: SESSION,
};

function line(message: object): string {
  return `${JSON.stringify(message)}\n`;
}
