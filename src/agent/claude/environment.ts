import { delimiter } from "node:path";
import { type Environment, PROCESS_ID_VARIABLE } from "../../config/environment.ts";
import { searchedFolders } from "./executable.ts";

/** What the CLI and the tools that it runs need of the server's environment, and nothing that could be a secret of the
 * server's own. The CLI's credentials are the exception: without them there is no agent. */
const PASSED = new Set([
  ..."PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR TERM IS_SANDBOX".split(" "),
  ..."HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy".split(" "),
  ..."SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS".split(" "),
  ..."XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME XDG_RUNTIME_DIR".split(" "),
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
]);

const PASSED_PREFIX = /^LC_/;

/** Set for every run, whatever the server's environment says. */
const FIXED = {
  // An update in the middle of a repair would replace the version that was tested.
  DISABLE_AUTOUPDATER: "1",
  // `@file` in a prompt is text (2.1.330; older versions have no such switch).
  CLAUDE_CODE_DISABLE_FILE_MENTIONS: "1",
  // 2.1.197 loses the turn when it is killed right after its result (measured: 6 of 6; with this 0 of 3).
  CLAUDE_CODE_EAGER_FLUSH: "1",
};

/**
 * The agent's whole environment: the allow-list's part of the server's, the names that the operator added, and the
 * process id.
 */
export function agentEnvironment(
  server: Environment,
  added: readonly string[],
  processId: string,
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(server)) {
    const passed = PASSED.has(name) || PASSED_PREFIX.test(name) || added.includes(name);
    if (passed && value !== undefined) environment[name] = value;
  }
  // An entry that is empty or relative would be the workspace's, also to what looks up an interpreter.
  const path = searchedFolders(environment.PATH).join(delimiter);
  if (path === "") delete environment.PATH;
  else environment.PATH = path;
  return { ...environment, ...FIXED, [PROCESS_ID_VARIABLE]: processId };
}

/** The environment of an agent that is to run nothing unasked that lies in its workspace. */
export function untrustingEnvironment(environment: Record<string, string>): Record<string, string> {
  // `.claude/scheduled_tasks.json` would have the agent work on prompts that nobody sent.
  return { ...environment, CLAUDE_CODE_DISABLE_CRON: "1" };
}
