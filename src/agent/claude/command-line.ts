import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { AgentImage } from "../agent.ts";
import type { PermissionRules } from "./permission-rules.ts";
import { promptContent } from "./prompt-content.ts";

/** How a conversation is taken up. */
export type Opening = "new" | "resume";

/** What a process of the CLI is started for. One that differs in any of these is of no use to a turn. */
export interface ConversationPlace {
  readonly workspace: string;
  /** The CLI's own id of the conversation. */
  readonly agentSessionId: string;
  readonly model: string;
  readonly agent: string;
}

/** What its tools may do, from its start on. */
export interface ToolLimits {
  readonly rules: PermissionRules;
  /** Whether settings that lie in the workspace and in the CLI's configuration count in the mode ASK too. */
  readonly trustsWorkspace: boolean;
}

/**
 * Commands that the CLI takes for reading and runs unasked, though what lies in the workspace can have them run programs:
 * git those that `.git/config` names, pyright the workspace's Python.
 */
const UNSAFE_READERS = ["git", "pyright"];

/**
 * Tools that are for a person at the CLI's own screen. They come with `--permission-prompt-tool`, and an unattended agent
 * would wait for answers that nobody gives.
 */
const SCREEN_TOOLS = ["AskUserQuestion", "EnterPlanMode", "ExitPlanMode"];

/**
 * The CLI's arguments for one process, which can take any number of turns. The prompts are none of them: they go in on
 * stdin. What else comes in there (answers, interrupts) the CLI takes only with these.
 *
 * @param agents - The argument of `--agents`. Undefined: none.
 */
export function claudeArguments(
  { model, agent, agentSessionId }: ConversationPlace,
  opening: Opening,
  mode: PermissionMode,
  limits: ToolLimits,
  agents: string | undefined,
): string[] {
  return [
    "-p",
    ...["--input-format", "stream-json"],
    ...["--output-format", "stream-json"],
    "--verbose",
    "--include-partial-messages",
    // Echoes each message when it is taken up: the only sign of it that all versions give.
    "--replay-user-messages",
    ...["--permission-prompt-tool", "stdio"],
    // Never in ASK: with it whatever reaches the process's stdin can switch it to BYPASS.
    ...(mode === PermissionMode.ASK ? [] : ["--allow-dangerously-skip-permissions"]),
    ...["--permission-mode", mode === PermissionMode.ASK ? "default" : "bypassPermissions"],
    `--disallowedTools=${SCREEN_TOOLS.join(",")}`,
    ...settingsArguments(mode, limits),
    ...["--model", model],
    ...["--agent", agent],
    ...(agents === undefined ? [] : ["--agents", agents]),
    ...[opening === "resume" ? "--resume" : "--session-id", agentSessionId],
  ];
}

/** Whether nothing that lies in the workspace or in the CLI's configuration may run or allow anything by itself. */
export function isUntrusting(mode: PermissionMode, { trustsWorkspace }: ToolLimits): boolean {
  return mode === PermissionMode.ASK && !trustsWorkspace;
}

function settingsArguments(mode: PermissionMode, limits: ToolLimits): string[] {
  const { allow, deny } = limits.rules;
  if (isUntrusting(mode, limits)) {
    // 2.1.197 runs `git status` at its start for the instructions, and with it what `.git/config` names.
    const settings = {
      includeGitInstructions: false,
      permissions: { allow, deny, ask: asksFor(allow) },
    };
    // Every weaker choice lets hooks, MCP servers or helpers of one of the two places run (measured).
    const none = ["--setting-sources", "", "--strict-mcp-config"];
    return [...none, "--settings", JSON.stringify(settings)];
  }
  if (allow.length + deny.length === 0) return [];
  return ["--settings", JSON.stringify({ permissions: { allow, deny } })];
}

/** The CLI's `ask` wins over its `allow`: what the operator allows, if only in part, is left to the operator's rules. */
function asksFor(allow: readonly string[]): string[] {
  const isAllowed = (reader: string) =>
    allow.some(
      (rule) => /^Bash(\((:?\*|\*:\*)\))?$/.test(rule) || rule.startsWith(`Bash(${reader}`),
    );
  return UNSAFE_READERS.filter((reader) => !isAllowed(reader)).map((reader) => `Bash(${reader}:*)`);
}

/**
 * The line that hands the CLI a prompt, or a further message.
 *
 * @param uuid - What the CLI names the message by when it echoes it.
 */
export function userMessage(
  uuid: string,
  prompt: string,
  images: readonly AgentImage[] = [],
  files: readonly string[] = [],
): string {
  const content = promptContent(prompt, images, files);
  const id = JSON.stringify(uuid);
  return `{"type":"user","uuid":${id},"message":{"role":"user","content":${content}}}\n`;
}

/** What the CLI can be asked to do beside taking messages. */
export type Control =
  | { readonly subtype: "initialize" }
  | { readonly subtype: "get_context_usage" }
  | { readonly subtype: "interrupt" }
  | { readonly subtype: "cancel_async_message"; readonly message_uuid: string };

/** The line that asks for it; the answer carries the id. */
export function controlRequest(id: string, request: Control): string {
  return `${JSON.stringify({ type: "control_request", request_id: id, request })}\n`;
}

/** The line that lets a tool be called. `inputJson` is a JSON object, and goes in as it is written, but for line breaks. */
export function allowResponse(requestId: string, inputJson: string): string {
  const id = JSON.stringify(requestId);
  // Unescaped they are only white space in JSON; left in, what follows one would be a line of its own to the CLI.
  const input = onOneLine(inputJson);
  return `{"type":"control_response","response":{"subtype":"success","request_id":${id},"response":{"behavior":"allow","updatedInput":${input}}}}\n`;
}

/** By bytes: of a MiB of line breaks a regular expression takes a quarter of a second. */
function onOneLine(json: string): string {
  const bytes = Buffer.from(json);
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === 0x0a || bytes[at] === 0x0d) bytes[at] = 0x20;
  }
  return bytes.toString();
}

/** The line that denies a tool its call; the model reads the message. */
export function denyResponse(requestId: string, message: string): string {
  const response = { behavior: "deny", message };
  const answer = { subtype: "success", request_id: requestId, response };
  return `${JSON.stringify({ type: "control_response", response: answer })}\n`;
}

/** The line that answers a request that this adapter does not know. */
export function unknownResponse(requestId: string, subtype: string): string {
  const error = `${subtype} is not supported`;
  const response = { subtype: "error", request_id: requestId, error };
  return `${JSON.stringify({ type: "control_response", response })}\n`;
}
