import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { open, realpath, rename } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Environment } from "../../config/environment.ts";
import type { OpenDirectory } from "../../files/open-directory.ts";
import type { Owner } from "../../files/owner.ts";
import type { TreeRemovals } from "../../files/tree-removals.ts";
import { DefinitionRefusal } from "./definition-refusal.ts";
import { openOwn, removeFrom } from "./own-directory.ts";

/** The CLI's own state is some kilobytes. */
const MAX_STATE_BYTES = 16 * 1024 * 1024;

/** Where the CLI keeps its settings and conversations. */
export function configDirectory(environment: Environment): string {
  return environment.CLAUDE_CONFIG_DIR || join(environment.HOME || homedir(), ".claude");
}

/**
 * Removes what the CLI would run unasked from its configuration whatever settings it is told to load, before it starts.
 *
 * `remote-settings.json` is its copy of the settings of an account's organization, hooks among them, which it fetches anew;
 * the files of `session-env` are sourced before each shell command of the conversation. Measured on 2.1.197 and 2.1.330.
 *
 * @param owner - As in `openOwn`.
 * @throws DefinitionRefusal where another's directory is in the place of the agent's own; Error where some of it is left.
 */
export async function removeLeftCommands(
  directory: string,
  agentSessionId: string,
  trees: TreeRemovals,
  owner?: Owner,
): Promise<void> {
  const left = [
    [directory, "remote-settings.json"],
    [join(directory, "session-env"), agentSessionId],
  ] as const;
  for (const [path, name] of left) {
    await using opened = await openOwn(path, owner);
    if (opened === undefined) continue;
    const kept = await removeFrom(opened, path, name, trees);
    if (kept !== undefined) throw new Error(`what the CLI would run cannot be removed: ${kept}`);
  }
}

/**
 * Removes the variables that the CLI's own state would set for it and for each of its commands, before it starts: `BASH_ENV`
 * among them is a file that every shell sources. No setting keeps the CLI from it (measured on 2.1.330).
 *
 * @param owner - As in `openOwn`.
 * @throws Error where the state is too large to be looked into, or cannot be written.
 */
export async function removeStateVariables(environment: Environment, owner?: Owner): Promise<void> {
  const home = environment.CLAUDE_CONFIG_DIR || environment.HOME || homedir();
  const places = [join(home, ".claude.json"), join(configDirectory(environment), ".config.json")];
  for (const place of places) {
    const path = await realpath(place).catch(() => undefined);
    if (path === undefined) continue;
    await using directory = await openOwn(dirname(path), owner);
    if (directory === undefined) continue;
    await removeVariables(directory, basename(path), owner);
  }
}

async function removeVariables(
  directory: OpenDirectory,
  name: string,
  owner: Owner | undefined,
): Promise<void> {
  const path = directory.place(name);
  const state = parseState(await readState(path, owner));
  if (state === undefined || !Object.hasOwn(state, "env")) return;
  delete state.env;
  const whole = `${path}.${randomUUID()}`;
  await using file = await open(whole, "wx", 0o600);
  await file.writeFile(JSON.stringify(state, undefined, 2));
  if (owner !== undefined) await file.chown(owner.uid, owner.gid);
  await rename(whole, path);
}

/** Empty where it is no file. Agents can write here: a pipe in its place must not be waited for. */
async function readState(path: string, owner: Owner | undefined): Promise<string> {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
  await using file = await open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
  const stats = await file.stat();
  if (owner !== undefined && stats.uid !== owner.uid) {
    throw new DefinitionRefusal(
      `the CLI's own state is not the agent's user's, and is not looked into.`,
    );
  }
  if (!stats.isFile()) return "";
  if (stats.size > MAX_STATE_BYTES) {
    throw new DefinitionRefusal(
      `${path} has more than ${MAX_STATE_BYTES} bytes, and is not looked into. Remove what is not the CLI's own from it.`,
    );
  }
  return await file.readFile("utf8");
}

/** Undefined where it is none: the CLI does not take it either. */
function parseState(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text.replace(/^\ufeff/, ""));
    return typeof value === "object" && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
