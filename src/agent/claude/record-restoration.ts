import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, lchown, mkdir, open, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { OpenDirectory } from "../../files/open-directory.ts";
import { giveDirectory, giveOpen, type Owner } from "../../files/owner.ts";
import type { TreeRemovals } from "../../files/tree-removals.ts";
import type { RecordRestoration } from "../conversation-records.ts";
import { placesOf, projectName } from "./conversation-files.ts";
import { isUuid } from "./ids.ts";
import { openOwn, removeFrom } from "./own-directory.ts";
import { isRecordFile, MAIN_FILE, SUBAGENTS } from "./record-files.ts";
import { restoredMark } from "./restored-mark.ts";

/** Whose record is put where. */
interface RestorationPlace {
  /** Where the CLI keeps its settings and conversations. */
  readonly directory: string;
  readonly conversationId: string;
  readonly workspace: string;
}

/** As `ConversationRecords.restore`. */
export async function beginRestoration(
  place: RestorationPlace,
  trees: TreeRemovals,
  owner: Owner | undefined,
): Promise<RecordRestoration> {
  if (!isUuid(place.conversationId)) throw new Error("the conversation's id is none of the CLI's");
  await using opened = new AsyncDisposableStack();
  const name = await projectOf(place.workspace);
  const folder = opened.use(await makeProject(place.directory, name, owner));
  const path = join(place.directory, "projects", name);
  const staged = `.restoring-${randomUUID()}`;
  await mkdir(folder.place(staged), { mode: 0o700 });
  opened.defer(async () => void (await removeFrom(folder, path, staged, trees)));
  const staging = opened.use(await folder.openDirectory(staged));
  // 2. What the agent's user put in its place could have links in it.
  const { uid } = await stat(staging.place());
  if (owner !== undefined && uid !== process.getuid?.()) throw new Error("its place was taken");
  return new ClaudeRestoration({ ...place, folder, path, staging, trees, owner }, opened.move());
}

/** What a restoration works with. */
interface Restoring extends RestorationPlace {
  /** The project's. */
  readonly folder: OpenDirectory;
  readonly path: string;
  /** In the project's, of the server's own until it is finished. */
  readonly staging: OpenDirectory;
  readonly trees: TreeRemovals;
  readonly owner: Owner | undefined;
}

/**
 * A record that is being put into a project's folder.
 *
 * 1. The conversation's own file is the last to be put there: its existence decides for the CLI.
 * 2. Until then it is in a directory of the server's user, which nobody else can write to.
 */
class ClaudeRestoration implements RecordRestoration {
  readonly #restoring: Restoring;
  readonly #opened: AsyncDisposableStack;
  readonly #files = new Set<string>();

  constructor(restoring: Restoring, opened: AsyncDisposableStack) {
    this.#restoring = restoring;
    this.#opened = opened;
  }

  async append(name: string, bytes: Uint8Array): Promise<void> {
    if (!isRecordFile(name)) throw new Error(`${name} is no file of the CLI's record`);
    const { staging } = this.#restoring;
    if (name !== MAIN_FILE) await mkdir(staging.place(SUBAGENTS), { recursive: true, mode: 0o700 });
    await using file = await this.#open(name);
    await file.writeFile(bytes);
    this.#files.add(name);
  }

  async finish(): Promise<void> {
    const { folder, path, staging, trees, workspace, conversationId: id } = this.#restoring;
    if (!this.#files.has(MAIN_FILE)) throw new Error("there is no conversation in it");
    const mark = restoredMark(id);
    await using file = await this.#open(mark);
    await file.writeFile(workspace);
    for (const name of [...this.#files, mark]) await this.#complete(name);
    const left = await removeFrom(folder, path, id, trees);
    if (left !== undefined) throw new Error(`an older record cannot be removed: ${left}`);
    if (this.#files.size > 1) {
      await this.#give(SUBAGENTS);
      await mkdir(staging.place(id), { mode: 0o700 });
      await rename(staging.place(SUBAGENTS), join(staging.place(id), SUBAGENTS));
      await this.#give(id);
      await rename(staging.place(id), folder.place(id));
    }
    await rename(staging.place(mark), folder.place(mark));
    await rename(staging.place(MAIN_FILE), folder.place(`${id}.jsonl`)); // 1.
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#opened.disposeAsync();
  }

  #open(name: string): Promise<FileHandle> {
    const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;
    const flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW;
    return open(this.#restoring.staging.place(name), flags, 0o600);
  }

  /** Has a file on disk, and the agent's user's. */
  async #complete(name: string): Promise<void> {
    await using file = await this.#open(name);
    await file.sync();
    await this.#give(name);
  }

  async #give(name: string): Promise<void> {
    const { owner, staging } = this.#restoring;
    if (owner !== undefined) await lchown(staging.place(name), owner.uid, owner.gid);
  }
}

/** The name of a workspace's project: an older CLI finds a conversation in that one's folder alone. */
async function projectOf(workspace: string): Promise<string> {
  return projectName((await placesOf(workspace)).at(-1) ?? workspace);
}

/** Opens a project's folder, and makes it where there is none yet. */
async function makeProject(
  directory: string,
  name: string,
  owner: Owner | undefined,
): Promise<OpenDirectory> {
  const made = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (made !== undefined && owner !== undefined) await giveDirectory(directory, owner);
  await using config = (await openOwn(directory, owner))!;
  await makeIn(config, "projects", owner);
  await using projects = (await openOwn(join(directory, "projects"), owner))!;
  await makeIn(projects, name, owner);
  const folder = await projects.openDirectory(name);
  if (owner === undefined || (await stat(folder.place())).uid === owner.uid) return folder;
  await folder[Symbol.asyncDispose]();
  throw new Error(`${join(directory, "projects", name)} is not a directory of the agent's user`);
}

async function makeIn(
  directory: OpenDirectory,
  name: string,
  owner: Owner | undefined,
): Promise<void> {
  try {
    await mkdir(directory.place(name), { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    throw error;
  }
  if (owner === undefined) return;
  await using made = await directory.openDirectory(name);
  await giveOpen(made, owner);
}
