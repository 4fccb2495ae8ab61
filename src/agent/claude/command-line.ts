import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { PermissionRules } from "./permission-rules.ts";

/** How a conversation is taken up. */
export type Opening = "new" | "resume";

/** What a process of the CLI is started for. One that differs in any of these is of no use to a turn. */
export interface ConversationSetup {
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
  { model, agent, agentSessionId }: ConversationSetup,
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
