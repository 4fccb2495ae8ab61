import { constants } from "node:fs";
import { type FileHandle, lstat, open, readdir } from "node:fs/promises";
import { throwExhaustion } from "../../exhaustion.ts";
import { OpenDirectory } from "../../files/open-directory.ts";
import type { Owner } from "../../files/owner.ts";
import type { TreeRemovals } from "../../files/tree-removals.ts";
import type {
  ConversationRecords,
  OpenedRecord,
  RecordFile,
  RecordRestoration,
} from "../conversation-records.ts";
import { conversationFiles } from "./conversation-files.ts";
import { isRecordFile, MAIN_FILE, SUBAGENTS } from "./record-files.ts";
import { beginRestoration } from "./record-restoration.ts";

const LINE_FEED = 10;
const BACKWARD_BYTES = 64 * 1024;

/**
 * The CLI's record of a conversation: a file of lines that grows, and files of its subagents beside it.
 *
 * Results of tools that were too large for it lie there too, and are left: the conversation knows them by paths of the machine
 * that it was held on.
 */
export class ClaudeRecords implements ConversationRecords {
  readonly #directory: string;
  readonly #trees: TreeRemovals;
  readonly #owner: Owner | undefined;

  /**
   * @param directory - Where the CLI keeps its settings and conversations.
   * @param owner - As in `openOwn`.
   */
  constructor(directory: string, trees: TreeRemovals, owner: Owner | undefined) {
    this.#directory = directory;
    this.#trees = trees;
    this.#owner = owner;
  }

  async open(conversationId: string, workspace: string): Promise<OpenedRecord> {
    const place = [this.#directory, conversationId, workspace, this.#owner] as const;
    let record: ClaudeRecord | undefined;
    for await (const { folder, origin } of conversationFiles(...place)) {
      if (origin === "foreign" || (origin === "untold" && record !== undefined)) continue;
      await record?.[Symbol.asyncDispose]();
      record = await ClaudeRecord.open(folder, conversationId, this.#owner);
      if (origin === "own") break;
    }
    return record ?? NO_RECORD;
  }

  restore(conversationId: string, workspace: string): Promise<RecordRestoration> {
    const place = { directory: this.#directory, conversationId, workspace };
    return beginRestoration(place, this.#trees, this.#owner);
  }
}

const NO_RECORD: OpenedRecord = {
  files: [],
  openFile: (name) => Promise.reject(new Error(`there is no ${name} of it`)),
  async [Symbol.asyncDispose]() {},
};

/** What the CLI has of one conversation. */
class ClaudeRecord implements OpenedRecord {
  readonly files: OpenedRecord["files"];
  readonly #places: ReadonlyMap<string, string>;
  readonly #owner: Owner | undefined;
  readonly #opened: AsyncDisposableStack;

  private constructor(
    found: readonly (FoundFile & { readonly bytes: number })[],
    owner: Owner | undefined,
    opened: AsyncDisposableStack,
  ) {
    this.files = found.map(({ name, bytes }) => ({ name, bytes }));
    this.#places = new Map(found.map(({ name, place }) => [name, place]));
    this.#owner = owner;
    this.#opened = opened;
  }

  /** @param folder - The project's, which whoever calls closes. */
  static async open(folder: OpenDirectory, id: string, owner: Owner | undefined) {
    await using opened = new AsyncDisposableStack();
    const own = opened.use(await OpenDirectory.at(folder.place()));
    const found: FoundFile[] = [{ name: MAIN_FILE, place: own.place(`${id}.jsonl`) }];
    const beside = await own.openDirectory(id).catch(nothing);
    if (beside !== undefined) {
      opened.use(beside);
      const subagents = await beside.openDirectory(SUBAGENTS).catch(nothing);
      if (subagents !== undefined) found.push(...(await subagentFiles(opened.use(subagents))));
    }
    const sized = await Promise.all(found.map(withSize));
    const files = sized.filter((file) => file !== undefined);
    return new ClaudeRecord(files, owner, opened.move());
  }

  openFile(name: string): Promise<RecordFile> {
    const place = this.#places.get(name);
    if (place === undefined) return NO_RECORD.openFile(name);
    return OpenFile.open(name, place, this.#owner);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#opened.disposeAsync();
  }
}

interface FoundFile {
  readonly name: string;
  /** As long as its directory is open. */
  readonly place: string;
}

async function subagentFiles(directory: OpenDirectory): Promise<FoundFile[]> {
  const names = await readdir(directory.place());
  return names
    .sort()
    .map((name) => ({ name: `${SUBAGENTS}/${name}`, place: directory.place(name) }))
    .filter(({ name }) => isRecordFile(name));
}

/** Undefined: it is no file. */
async function withSize(file: FoundFile) {
  const stats = await lstat(file.place).catch(nothing);
  return stats?.isFile() ? { ...file, bytes: stats.size } : undefined;
}

class OpenFile implements RecordFile {
  readonly bytes: number;
  readonly #name: string;
  readonly #handle: FileHandle;

  private constructor(name: string, handle: FileHandle, bytes: number) {
    this.#name = name;
    this.#handle = handle;
    this.bytes = bytes;
  }

  static async open(name: string, place: string, owner: Owner | undefined): Promise<OpenFile> {
    const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
    // Agents can write here: a pipe in its place must not be waited for.
    const handle = await open(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const stats = await handle.stat();
      const isOwn = owner === undefined || stats.uid === owner.uid;
      if (!stats.isFile() || !isOwn) {
        throw new Error(`${name} is no file of the agent's own`);
      }
      const isLines = name.endsWith(".jsonl");
      const bytes = isLines ? await endOfLines(handle, stats.size) : stats.size;
      return new OpenFile(name, handle, bytes);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const wanted = Math.min(length, this.bytes - position);
    const buffer = Buffer.alloc(Math.max(wanted, 0));
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await this.#handle.read(buffer, filled, null, position + filled);
      if (bytesRead === 0) throw new Error(`${this.#name} became shorter while it was read`);
      filled += bytesRead;
    }
    return buffer;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#handle.close();
  }
}

/** Where the last line ends that is whole: what comes behind it is being written, or was when the CLI was killed. */
async function endOfLines(handle: FileHandle, size: number): Promise<number> {
  const buffer = Buffer.alloc(BACKWARD_BYTES);
  for (let end = size; end > 0; ) {
    const start = Math.max(end - BACKWARD_BYTES, 0);
    const { bytesRead } = await handle.read(buffer, 0, end - start, start);
    const last = buffer.subarray(0, bytesRead).lastIndexOf(LINE_FEED);
    if (last !== -1) return start + last + 1;
    end = start;
  }
  return 0;
}

function nothing(error: unknown): undefined {
  throwExhaustion(error);
}
