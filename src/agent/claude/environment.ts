import type { Environment } from "../../config/environment.ts";
import { passedEnvironment } from "../environment.ts";

/** What the CLI needs beside what every agent does. Its credentials are among it: without them there is no agent. */
const PASSED = [
  "IS_SANDBOX",
  ..."ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN ANTHROPIC_BASE_URL ANTHROPIC_CUSTOM_HEADERS".split(
    " ",
  ),
  ..."ANTHROPIC_SMALL_FAST_MODEL ANTHROPIC_DEFAULT_OPUS_MODEL ANTHROPIC_DEFAULT_SONNET_MODEL".split(
    " ",
  ),
  ..."ANTHROPIC_DEFAULT_HAIKU_MODEL CLAUDE_CONFIG_DIR CLAUDE_CODE_OAUTH_TOKEN".split(" "),
  ..."CLAUDE_CODE_MAX_RETRIES CLAUDE_CODE_MAX_OUTPUT_TOKENS".split(" "),
  ..."CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC API_TIMEOUT_MS".split(" "),
  ..."BASH_DEFAULT_TIMEOUT_MS BASH_MAX_TIMEOUT_MS DISABLE_TELEMETRY".split(" "),
];

/** Set for every run, whatever the server's environment says. */
const FIXED = {
  // An update in the middle of a repair would replace the version that was tested.
  DISABLE_AUTOUPDATER: "1",
  // `@file` in a prompt is text (2.1.330; older versions have no such switch).
  CLAUDE_CODE_DISABLE_FILE_MENTIONS: "1",
  // 2.1.197 loses the turn when it is killed right after its result (measured: 6 of 6; with this 0 of 3).
  CLAUDE_CODE_EAGER_FLUSH: "1",
};

/** The CLI's environment: the allow-list's part of the server's, the names that the operator added, and what is fixed. */
export function agentEnvironment(
  server: Environment,
  added: readonly string[],
): Record<string, string> {
  return { ...passedEnvironment(server, new Set([...PASSED, ...added])), ...FIXED };
}

/** The environment of an agent that is to run nothing unasked that lies in its workspace. */
export function untrustingEnvironment(environment: Record<string, string>): Record<string, string> {
  // `.claude/scheduled_tasks.json` would have the agent work on prompts that nobody sent.
  return { ...environment, CLAUDE_CODE_DISABLE_CRON: "1" };
}
