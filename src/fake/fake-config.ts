import { join } from "node:path";
import { ConfigError } from "../config/config-error.ts";
import { type Environment, OWN_PREFIX, readSearchPath } from "../config/environment.ts";
import { readServeConfig, type ServeConfig } from "../config/serve-config.ts";
import type { FakeDirectory } from "./fake-directory.ts";
import { SCRIPT_VARIABLE } from "./script-file.ts";

/** What is the fake's own to set, whatever the environment says: where it is, and what its agent is. */
export const OWN_SETTINGS: readonly string[] = [
  "BREAKGLASS_LISTEN",
  "BREAKGLASS_DATA_DIR",
  "BREAKGLASS_SESSIONS_DIR",
  "BREAKGLASS_AGENT_COMMAND",
  "BREAKGLASS_AGENT_ENV",
  "BREAKGLASS_AGENT_USER",
  "BREAKGLASS_RULES_FILE",
  "BREAKGLASS_URL",
  "BREAKGLASS_TOKEN",
];

/**
 * The settings of a fake: those that are given, but for those that are its own, over the service's defaults. Nothing of the
 * caller's environment but `PATH`: no credentials, no home.
 *
 * @throws ConfigError for what cannot be used.
 */
export function fakeConfig(
  settings: Environment,
  directory: FakeDirectory,
  port: number,
  hasTokens: boolean,
): ServeConfig {
  const given = Object.entries(settings).filter(([name]) => {
    return name.startsWith(OWN_PREFIX) && !OWN_SETTINGS.includes(name);
  });
  return readServeConfig({
    PATH: readSearchPath(),
    HOME: directory.home,
    CLAUDE_CONFIG_DIR: join(directory.home, ".claude"),
    // It takes as much room on the disk.
    BREAKGLASS_RESERVE_BYTES: "0",
    ...Object.fromEntries(given),
    ...(hasTokens && { BREAKGLASS_TOKENS_FILE: directory.tokens }),
    [SCRIPT_VARIABLE]: directory.script,
    BREAKGLASS_AGENT_ENV: SCRIPT_VARIABLE,
    BREAKGLASS_LISTEN: `127.0.0.1:${port}`,
    BREAKGLASS_DATA_DIR: directory.data,
  });
}

/** What is wrong with settings that the fake makes itself, in the words of what it was given. */
export function inOwnWords(error: unknown, { root, data }: FakeDirectory, port: number): unknown {
  if (!(error instanceof ConfigError)) return error;
  const [first = "", ...more] = error.problems.map((problem) =>
    problem
      .replace(`BREAKGLASS_LISTEN is "127.0.0.1:${port}"`, `the port of the fake is ${port}`)
      .replace(`BREAKGLASS_DATA_DIR is ${JSON.stringify(data)}`, `the data directory is ${root}`),
  );
  return new ConfigError(first, ...more);
}
