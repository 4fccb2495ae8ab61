import type { AgentTurn } from "../agent.ts";

/** How a conversation is taken up. */
export type Opening = "new" | "resume";

/** The CLI's arguments for one turn. The prompt is none of them: it goes in on stdin. */
export function claudeArguments(
  turn: AgentTurn,
  opening: Opening,
  agents: string | undefined,
): string[] {
  return [
    "-p",
    ...["--input-format", "stream-json"],
    ...["--output-format", "stream-json"],
    "--verbose",
    "--dangerously-skip-permissions",
    ...["--model", turn.model],
    ...["--agent", turn.agent],
    ...(agents === undefined ? [] : ["--agents", agents]),
    ...[opening === "resume" ? "--resume" : "--session-id", turn.agentSessionId],
  ];
}

/**
 * The message that hands the CLI a prompt, a line of its stream-json input.
 *
 * The CLI looks for commands (`/cost`) and files (`@path`) in the last block only, and leaves an empty one out of what
 * it sends to the model (measured on 2.1.330): with an empty block behind it a prompt is literal, to the byte.
 */
export function promptMessage(prompt: string): string {
  const content = [
    { type: "text", text: prompt },
    { type: "text", text: "" },
  ];
  return `${JSON.stringify({ type: "user", message: { role: "user", content } })}\n`;
}

/** The message that asks the CLI to stop what it does, a line of its stream-json input. */
export function interruptMessage(): string {
  const request = { subtype: "interrupt" };
  return `${JSON.stringify({ type: "control_request", request_id: "stop", request })}\n`;
}
