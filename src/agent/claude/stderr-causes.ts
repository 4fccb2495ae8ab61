import { ErrorReason } from "../../../gen/breakglass/v1/event_pb.ts";

/** Why the CLI did not come up, and what to do. */
export interface StderrCause {
  readonly reason: ErrorReason;
  readonly message: string;
}

interface KnownFailure {
  /** What the CLI writes to stderr. */
  readonly pattern: RegExp;
  cause(match: RegExpExecArray, agent: string): StderrCause;
}

/** An agent definition that the CLI does not have, and what to do. */
export function agentUnknown(agent: string, available: readonly string[]): StderrCause {
  const there = available.length > 0 ? `: ${available.join(", ")}` : ".";
  return {
    reason: ErrorReason.AGENT_NOT_FOUND,
    message: `No agent is defined as ${JSON.stringify(agent)}. Put its definition into .claude/agents/ in the session's workspace or into agents/ in the CLI's configuration directory, or ask for one that is there${there}`,
  };
}

/**
 * The failures of the CLI that are told of on stderr alone, each as measured on 2.1.197 and 2.1.330. A version that
 * words one differently still fails as AGENT_START_FAILED, with its own last words instead of advice.
 */
export const STDERR_CAUSES: readonly KnownFailure[] = [
  {
    pattern: /--agent '.*' not found(?:\. Available agents: (.*))?/,
    cause: (match, agent) => agentUnknown(agent, match[1]?.split(", ") ?? []),
  },
  {
    pattern: /cannot be used with root\/sudo privileges/,
    cause: startFailed(
      "The Claude Code CLI refuses to work unattended as root. Run breakglass as another user or, where the machine itself is a sandbox, set IS_SANDBOX=1 in its environment.",
    ),
  },
  {
    pattern: /Session ID \S+ is already in use/,
    cause: startFailed(
      "The Claude Code CLI says that it has a conversation of this session, but does not go on with it. Begin a new session.",
    ),
  },
  {
    pattern: /No conversation found with session ID/,
    cause: startFailed(
      "The Claude Code CLI does not have the conversation of this session, and does not begin one under its id. Begin a new session.",
    ),
  },
  {
    pattern: /Invalid session ID/,
    cause: startFailed(
      "The Claude Code CLI does not take the id of this session's conversation. Begin a new session.",
    ),
  },
  {
    pattern: /unknown option '([^']*)'/,
    cause: (match) => ({
      reason: ErrorReason.AGENT_START_FAILED,
      message: `The agent's program does not know the option ${match[1]}. Install version 2.1.197 or newer of the Claude Code CLI, or set BREAKGLASS_AGENT_COMMAND to where it is.`,
    }),
  },
  {
    pattern: /Invalid --agents configuration/,
    cause: startFailed(
      "The Claude Code CLI does not take the agent definition that comes with breakglass. Define an agent of that name in the workspace, or install version 2.1.197 or newer of the CLI.",
    ),
  },
  {
    pattern: /piped stdin input exceeds/,
    cause: startFailed(
      "The prompt is larger than the Claude Code CLI takes. Send a shorter one, or set BREAKGLASS_MAX_PROMPT_BYTES lower.",
    ),
  },
  {
    pattern:
      /Error parsing streaming input line|Input must be provided|Input contained only whitespace/,
    cause: startFailed(
      "The Claude Code CLI did not take the prompt as it was handed over. Install version 2.1.197 or newer.",
    ),
  },
  {
    pattern: /ENOSPC|no space left on device/i,
    cause: startFailed(
      "The disk of the Claude Code CLI's configuration directory is full. Make room on it.",
    ),
  },
];

function startFailed(message: string): () => StderrCause {
  return () => ({ reason: ErrorReason.AGENT_START_FAILED, message });
}
