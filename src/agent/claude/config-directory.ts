import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, open, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import type { Environment } from "../../config/environment.ts";
import { throwExhaustion } from "../../exhaustion.ts";
import { OpenDirectory } from "../../files/open-directory.ts";
import type { Owner } from "../../files/owner.ts";
import type { TreeRemovals } from "../../files/tree-removals.ts";
import { DefinitionRefusal } from "./definition-refusal.ts";
import { isUuid } from "./ids.ts";

/** Before its first prompt a conversation says where it was begun; behind it, where the prompt is large. */
const MAX_READ_BYTES = 32 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
/** The CLI's own state is some kilobytes. */
const MAX_STATE_BYTES = 16 * 1024 * 1024;
/** The longest directory that is looked for across two chunks. */
const MAX_CWD_BYTES = 16 * 1024;
const CWD_KEY = '"cwd":"';

/** Where the CLI keeps its settings and conversations. */
export function configDirectory(environment: Environment): string {
  return environment.CLAUDE_CONFIG_DIR || join(environment.HOME || homedir(), ".claude");
}

/**
 * Whose a conversation on disk is, as far as it says where it was begun: the workspace's own, somebody else's, or not told.
 * Undefined: there is none.
 */
export type ConversationOrigin = "own" | "foreign" | "untold" | undefined;

/** A conversation's file, in a project's folder. */
interface ConversationFile {
  readonly path: string;
  readonly origin: Exclude<ConversationOrigin, undefined>;
}

/**
 * Whether the CLI has a conversation on disk, and whose: with it only `--resume` works, without it only `--session-id`.
 *
 * Looks through all projects, because how a path becomes a project's name has changed between versions.
 *
 * @throws Error where there is no descriptor left to look with.
 */
export async function conversationOrigin(
  directory: string,
  agentSessionId: string,
  workspace: string,
): Promise<ConversationOrigin> {
  const files = await conversationFiles(directory, agentSessionId, workspace);
  const origins = files.map(({ origin }) => origin);
  return (["own", "untold", "foreign"] as const).find((origin) => origins.includes(origin));
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
 * Removes the variables that the CLI's own state would set for it and for each of its commands, before it starts: `BASH_ENV`
 * among them is a file that every shell sources. No setting keeps the CLI from it (measured on 2.1.330).
 *
 * @param owner - The agent's user, where that is not the server's. It arranges what is on the way there: nothing is done but to
 * what is its own.
 * @throws Error where the state is too large to be looked into, or cannot be written.
 */
export async function removeStateVariables(environment: Environment, owner?: Owner): Promise<void> {
  const home = environment.CLAUDE_CONFIG_DIR || environment.HOME || homedir();
  const places = [join(home, ".claude.json"), join(configDirectory(environment), ".config.json")];
  for (const place of places) {
    const path = await realpath(place).catch(() => undefined);
    if (path === undefined) continue;
    await using directory = await OpenDirectory.at(dirname(path));
    if (owner !== undefined) await refuseForeign(directory.place(), path, owner);
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

/** The server can write where the agent cannot: it must not be led there by a link. */
async function refuseForeign(place: string, path: string, { uid }: Owner): Promise<void> {
  if ((await stat(place)).uid === uid) return;
  throw new DefinitionRefusal(
    `${path} is not in a directory of the agent's user, and is not looked into.`,
  );
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

/**
 * Removes the CLI's record of a session's own conversations, and leaves alone what was begun elsewhere.
 *
 * @throws Error that says what is left.
 */
export async function removeConversations(
  directory: string,
  agentSessionIds: readonly string[],
  workspace: string,
  trees: TreeRemovals,
): Promise<void> {
  const paths: string[] = [];
  for (const id of agentSessionIds) {
    const files = await conversationFiles(directory, id, workspace);
    for (const { path } of files.filter(({ origin }) => origin !== "foreign")) {
      // Subagents' transcripts and large tool results lie in a folder of the same name.
      paths.push(path, path.replace(/\.jsonl$/, ""));
    }
    if (isUuid(id)) paths.push(join(directory, "session-env", id));
  }
  const left = await Promise.all(paths.map((path) => trees.remove(path)));
  const [first] = left.flatMap(({ files }) => files);
  if (first !== undefined) {
    throw new Error(`the agent's record cannot be removed: ${first.path}: ${first.reason}`);
  }
}

async function conversationFiles(
  directory: string,
  agentSessionId: string,
  workspace: string,
): Promise<ConversationFile[]> {
  if (!isUuid(agentSessionId)) return [];
  const projects = join(directory, "projects");
  const names = await readdir(projects).catch(noNames);
  const places = await placesOf(workspace);
  const look = async (name: string): Promise<ConversationFile[]> => {
    const path = join(projects, name, `${agentSessionId}.jsonl`);
    if (!(await exists(path))) return [];
    return [{ path, origin: await originOf(path, name, places) }];
  };
  return (await Promise.all(names.map(look))).flat();
}

/** The directory that a conversation says it was begun in decides, and where it says nothing the project's folder. */
async function originOf(
  path: string,
  project: string,
  places: readonly string[],
): Promise<ConversationFile["origin"]> {
  const begun = await firstDirectory(path).catch(nothing);
  if (begun !== undefined) {
    // A reset begins where the agent's commands have gone to by then.
    const isWithin = places.some((place) => `${resolve(begun)}/`.startsWith(`${place}/`));
    return isWithin ? "own" : "foreign";
  }
  return places.map(projectName).includes(project) ? "own" : "untold";
}

/** A workspace as it is named, and as the CLI names it; not where a link in its own place leads. */
async function placesOf(workspace: string): Promise<string[]> {
  const parent = await realpath(dirname(workspace)).catch(() => dirname(workspace));
  return [workspace, join(parent, basename(workspace))];
}

/** The name of a project's folder (2.1.197 and 2.1.330). */
function projectName(path: string): string {
  return path.replace(/[^a-zA-Z0-9]/g, "-");
}

/** The first `cwd` in a conversation's lines: within what was said, its quotes would be escaped. */
async function firstDirectory(path: string): Promise<string | undefined> {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
  // Agents can write here: a pipe in its place must not be waited for.
  await using file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!(await file.stat()).isFile()) return undefined;
  const buffer = Buffer.alloc(MAX_CWD_BYTES + CHUNK_BYTES);
  let kept = 0;
  for (let position = 0; position < MAX_READ_BYTES; ) {
    const { bytesRead } = await file.read(buffer, kept, CHUNK_BYTES, position);
    if (bytesRead === 0) return undefined;
    position += bytesRead;
    const text = buffer.subarray(0, kept + bytesRead);
    const found = directoryIn(text);
    if (found !== undefined) return found;
    kept = Math.min(text.length, MAX_CWD_BYTES);
    buffer.copyWithin(0, text.length - kept, text.length);
  }
  return undefined;
}

function directoryIn(text: Buffer): string | undefined {
  const start = text.indexOf(CWD_KEY);
  if (start === -1) return undefined;
  const value = text.toString("utf8", start + CWD_KEY.length - 1, start + MAX_CWD_BYTES);
  const literal = /^"(?:[^"\\]|\\.)*"/.exec(value)?.[0];
  return literal === undefined ? undefined : (JSON.parse(literal) as string);
}

function noNames(error: unknown): string[] {
  throwExhaustion(error);
  return [];
}

function nothing(error: unknown): undefined {
  throwExhaustion(error);
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
