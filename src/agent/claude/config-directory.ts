import { access, readdir, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { throwExhaustion } from "../../exhaustion.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the CLI keeps its settings and conversations. */
export function configDirectory(environment: Environment): string {
  return environment.CLAUDE_CONFIG_DIR || join(environment.HOME || homedir(), ".claude");
}

/**
 * Whether the CLI has a conversation on disk: with it only `--resume` works, without it only `--session-id`.
 *
 * Looks through all projects, because how a path becomes a project's name has changed between versions.
 *
 * @throws Error where there is no descriptor left to look with.
 */
export async function hasConversation(directory: string, agentSessionId: string): Promise<boolean> {
  return (await conversationPaths(directory, agentSessionId)).length > 0;
}

/**
 * Removes what the CLI would run unasked from its configuration whatever settings it is told to load, before it starts.
 *
 * `remote-settings.json` is its copy of the settings of an account's organization, hooks among them, which it fetches anew;
 * the files of `session-env` are sourced before each shell command of the conversation. Measured on 2.1.197 and 2.1.330.
 */
export async function removeLeftCommands(directory: string, agentSessionId: string): Promise<void> {
  const left = ["remote-settings.json", join("session-env", agentSessionId)];
  for (const name of left) await rm(join(directory, name), { force: true, recursive: true });
}

/**
 * Removes the CLI's record of a conversation, wherever it keeps it.
 *
 * @throws Error where it cannot be removed, or be looked for.
 */
export async function removeConversation(directory: string, agentSessionId: string): Promise<void> {
  for (const path of await conversationPaths(directory, agentSessionId)) {
    await rm(path, { force: true });
    // Subagents' transcripts and large tool results lie in a folder of the same name.
    await rm(path.replace(/\.jsonl$/, ""), { force: true, recursive: true });
  }
}

async function conversationPaths(directory: string, agentSessionId: string): Promise<string[]> {
  const projects = join(directory, "projects");
  const names = await readdir(projects).catch(noNames);
  const paths = names.map((name) => join(projects, name, `${agentSessionId}.jsonl`));
  const found = await Promise.all(paths.map(exists));
  return paths.filter((_, index) => found[index]);
}

function noNames(error: unknown): string[] {
  throwExhaustion(error);
  return [];
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    throwExhaustion(error);
    return false;
  }
}
