import { constants } from "node:fs";
import { access, open, readdir, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { throwExhaustion } from "../../exhaustion.ts";
import type { OpenDirectory } from "../../files/open-directory.ts";
import type { Owner } from "../../files/owner.ts";
import type { TreeRemovals } from "../../files/tree-removals.ts";
import { isUuid } from "./ids.ts";
import { findOwn, removeFrom } from "./own-directory.ts";
import { restoredFor, restoredMark } from "./restored-mark.ts";

/** Before its first prompt a conversation says where it was begun; behind it, where the prompt is large. */
const MAX_READ_BYTES = 32 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
/** The longest directory that is looked for across two chunks. */
const MAX_CWD_BYTES = 16 * 1024;
const CWD_KEY = '"cwd":"';

/**
 * Whose a conversation on disk is, as far as it says where it was begun: the workspace's own, somebody else's, or not told.
 * Undefined: there is none.
 */
export type ConversationOrigin = "own" | "foreign" | "untold" | undefined;

/** A conversation's file, in a project's folder, which is open while it is looked at. */
export interface ConversationFile {
  readonly folder: OpenDirectory;
  /** Of the folder. */
  readonly path: string;
  readonly origin: Exclude<ConversationOrigin, undefined>;
}

/**
 * Whether the CLI has a conversation on disk, and whose: with it only `--resume` works, without it only `--session-id`.
 *
 * Looks through all projects, because how a path becomes a project's name has changed between versions.
 *
 * @param owner - As in `openOwn`.
 * @throws Error where there is no descriptor left to look with.
 */
export async function conversationOrigin(
  directory: string,
  agentSessionId: string,
  workspace: string,
  owner?: Owner,
): Promise<ConversationOrigin> {
  const origins: ConversationOrigin[] = [];
  for await (const { origin } of conversationFiles(directory, agentSessionId, workspace, owner)) {
    origins.push(origin);
  }
  return (["own", "untold", "foreign"] as const).find((origin) => origins.includes(origin));
}

/**
 * Removes the CLI's record of a session's own conversations, and leaves alone what was begun elsewhere.
 *
 * @param owner - As in `openOwn`.
 * @throws Error that says what is left.
 */
export async function removeConversations(
  directory: string,
  agentSessionIds: readonly string[],
  workspace: string,
  trees: TreeRemovals,
  owner?: Owner,
): Promise<void> {
  const left: (string | undefined)[] = [];
  for (const id of agentSessionIds.filter(isUuid)) {
    for await (const file of conversationFiles(directory, id, workspace, owner)) {
      if (file.origin === "foreign") continue;
      // Subagents' transcripts and large tool results lie in a folder of the same name.
      for (const name of [`${id}.jsonl`, id, restoredMark(id)]) {
        left.push(await removeFrom(file.folder, file.path, name, trees));
      }
    }
    const path = join(directory, "session-env");
    await using environments = await findOwn(path, owner);
    if (environments === undefined) continue;
    left.push(await removeFrom(environments, path, id, trees));
  }
  const first = left.find((one) => one !== undefined);
  if (first !== undefined) throw new Error(`the agent's record cannot be removed: ${first}`);
}

/** The files that the CLI has of a conversation: one, but for what was copied, or was another's under the same id. */
export async function* conversationFiles(
  directory: string,
  agentSessionId: string,
  workspace: string,
  owner: Owner | undefined,
): AsyncGenerator<ConversationFile> {
  if (!isUuid(agentSessionId)) return;
  const file = `${agentSessionId}.jsonl`;
  await using projects = await findOwn(join(directory, "projects"), owner);
  if (projects === undefined) return;
  const names = await readdir(projects.place()).catch(noNames);
  const places = await placesOf(workspace);
  // There may be many projects, of which few have it.
  const isThere = await Promise.all(names.map((name) => exists(projects.place(join(name, file)))));
  for (const name of names.filter((_, index) => isThere[index])) {
    await using folder = await findOwn(projects.place(name), owner);
    if (folder === undefined) continue;
    const mark = await restoredFor(folder, agentSessionId).catch(nothing);
    const origin =
      mark === undefined ? await originOf(folder.place(file), name, places) : whose(mark, places);
    yield { folder, path: join(directory, "projects", name), origin };
  }
}

/** Where it was restored for a workspace, that decides. */
function whose(mark: string, places: readonly string[]): ConversationFile["origin"] {
  return places.includes(mark) ? "own" : "foreign";
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
export async function placesOf(workspace: string): Promise<string[]> {
  const parent = await realpath(dirname(workspace)).catch(() => dirname(workspace));
  return [workspace, join(parent, basename(workspace))];
}

/** The name of a project's folder (2.1.197 and 2.1.330). */
export function projectName(path: string): string {
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
