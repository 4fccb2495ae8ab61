import { chmodSync, lstatSync } from "node:fs";
import { type AgentUser, findAgentUser, runAs } from "../agent/process/agent-user.ts";
import { ConfigError } from "../config/config-error.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import type { Log } from "../log.ts";

/** Passed through, and not listed. */
const PASSAGE = 0o711;

/**
 * The user that agents run as, where that is not the server's.
 *
 * @throws ConfigError where there is none of that name, or the server cannot start processes as that one.
 */
export function agentUserOf({ agentUser }: ServeConfig): AgentUser | undefined {
  if (agentUser === undefined) return undefined;
  try {
    return findAgentUser(agentUser);
  } catch (error) {
    const shown = JSON.stringify(agentUser);
    throw new ConfigError(`BREAKGLASS_AGENT_USER is ${shown}, ${(error as Error).message}`);
  }
}

/**
 * Lets that user pass to the workspaces: through the server's own directories, in which it can list nothing and reads what it is
 * given alone.
 *
 * @throws ConfigError where a directory above them is closed to it, or it has no place for its configuration.
 */
export function letPass(user: AgentUser | undefined, config: ServeConfig, log: Log): void {
  if (user === undefined) return;
  const { dataDir, sessionsDir, environment } = config;
  const own = sessionsDir.startsWith(`${dataDir}/`) ? [dataDir, sessionsDir] : [sessionsDir];
  for (const directory of own) {
    const mode = lstatSync(directory).mode & 0o7777;
    if ((mode & PASSAGE) !== PASSAGE) chmodSync(directory, mode | PASSAGE);
  }
  refuseClosed(user, sessionsDir, sessionsDir);
  const directory = environment.CLAUDE_CONFIG_DIR || `${user.home}/.claude`;
  if (runAs(user, WRITABLE, directory) !== "yes") {
    log.warn("the agents' user has no directory for its configuration and conversations", {
      user: user.name,
      directory,
      mend: "make it, and give it to that user",
    });
  }
}

/**
 * Refuses a place for sessions that the agents' user cannot pass to.
 *
 * @param directory - One on the way there, up to which is looked: what is below it need not be there.
 * @throws ConfigError that names the directory that is closed.
 */
export function refuseClosed(user: AgentUser, sessionsDir: string, directory: string): void {
  const closed = runAs(user, CLOSED, directory);
  if (closed === "") return;
  throw new ConfigError(
    `BREAKGLASS_SESSIONS_DIR is ${JSON.stringify(sessionsDir)}, which the agents' user ${user.name} cannot pass to: chmod o+x ${closed}, or set another directory`,
  );
}

/** Prints the first directory on the way to a path that cannot be passed. */
const CLOSED =
  'at=; IFS=/; set -f; for name in $1; do [ -z "$name" ] && continue; at="$at/$name"; [ -x "$at" ] || { printf %s "$at"; exit; }; done';
const WRITABLE = 'mkdir -p "$1" 2>/dev/null; [ -d "$1" ] && [ -w "$1" ] && echo yes';
