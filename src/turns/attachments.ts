import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, rmdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as othersServed } from "node:timers/promises";
import type { AgentImage } from "../agent/agent.ts";
import { explainExhaustion } from "../exhaustion.ts";
import { OpenDirectory } from "../files/open-directory.ts";
import { giveOpen, type Owner } from "../files/owner.ts";
import type { AttachmentRecord } from "../store/records.ts";
import type { Attachment } from "../turn-requests.ts";

/** What becomes of attachments: what the model is shown, and where in the workspace the rest lies. */
export interface PlacedAttachments {
  readonly images: AgentImage[];
  /** Relative to the workspace. */
  readonly files: string[];
}

/** What is hashed at once: about a millisecond. */
const HASHED_BYTES = 1024 * 1024;

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/**
 * Puts files into the workspace, in a folder of the turn's own: there no name means anything to the agent's program
 * (`CLAUDE.md`, `.mcp.json`), and nothing is there yet. Images stay in memory.
 *
 * The agent can write to the workspace and may put links into the way, its own or the workspace's: none is followed.
 *
 * @param signal - Has it end early, where the turn does.
 * @param owner - Whose the folder and the files are to be. Undefined: the server's own.
 * @throws Error where a file cannot be written, which says why in words for the operator; nothing is left of them then.
 */
export async function placeAttachments(
  workspace: string,
  turnId: string,
  attachments: readonly Attachment[],
  signal?: AbortSignal,
  owner?: Owner,
): Promise<PlacedAttachments> {
  const images = attachments.filter(isImage);
  const files = attachments.filter((attachment) => !isImage(attachment));
  const folder = folderOf(turnId);
  if (files.length > 0) await inWords(() => writeFiles(workspace, folder, files, signal, owner));
  return { images, files: files.map(({ name }) => join(folder, name)) };
}

/** Takes the files of a turn back that is not run after all. Never rejects; what is no longer as it was placed stays. */
export async function takeBackAttachments(
  workspace: string,
  turnId: string,
  attachments: readonly Attachment[],
): Promise<void> {
  const files = attachments.filter((attachment) => !isImage(attachment));
  if (files.length === 0) return;
  try {
    await using directory = await OpenDirectory.open(workspace);
    await using folder = await directory.openDirectory(folderOf(turnId));
    await removeFiles(folder, files);
    await rmdir(directory.place(folderOf(turnId)));
  } catch {
    // It is not there, or is no longer empty.
  }
}

/** What attachments are compared by; empty where there are none. Others are served in between. */
export async function attachmentsDigest(attachments: readonly Attachment[]): Promise<string> {
  if (attachments.length === 0) return "";
  const hash = createHash("sha256");
  for (const { name, mediaType, data } of attachments) {
    hash.update(`${JSON.stringify([name, mediaType, data.length])}\n`);
    for (let at = 0; at < data.length; at += HASHED_BYTES) {
      hash.update(data.subarray(at, at + HASHED_BYTES));
      await othersServed();
    }
  }
  return hash.digest("hex");
}

/** What is kept of them on record. */
export function attachmentRecords(attachments: readonly Attachment[]): AttachmentRecord[] {
  return attachments.map(({ name, mediaType, data }) => ({ name, mediaType, size: data.length }));
}

/** Whether the model is shown it; everything else becomes a file. */
export function isImage({ mediaType }: Pick<Attachment, "mediaType">): boolean {
  return mediaType.startsWith("image/");
}

function folderOf(turnId: string): string {
  return `attachments-${turnId}`;
}

async function writeFiles(
  workspace: string,
  name: string,
  files: readonly Attachment[],
  signal: AbortSignal | undefined,
  owner: Owner | undefined,
): Promise<void> {
  await using directory = await OpenDirectory.open(workspace);
  // Fails where anything is there already, a link too.
  await mkdir(directory.place(name), { mode: 0o700 });
  try {
    await using folder = await directory.openDirectory(name);
    try {
      for (const { name, data } of files) {
        signal?.throwIfAborted();
        await writeNew(folder.place(name), data, owner);
      }
      signal?.throwIfAborted();
      if (owner !== undefined) await giveOpen(folder, owner);
    } catch (error) {
      await removeFiles(folder, files);
      throw error;
    }
  } catch (error) {
    // Where something stands in the way, what failed before is the one to tell of.
    await rmdir(directory.place(name)).catch(() => {});
    throw error;
  }
}

async function removeFiles(folder: OpenDirectory, files: readonly Attachment[]): Promise<void> {
  for (const { name } of files) await unlink(folder.place(name)).catch(() => {});
}

async function inWords(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw new Error(wordsOf(error), { cause: error });
  }
}

const CAUSES: Readonly<Record<string, string>> = {
  EACCES: "the server may not write there",
  EDQUOT: "the disk quota is used up",
  EEXIST: "something is in their place already",
  ELOOP: "a link is in their place",
  ENOENT: "the workspace is not there",
  ENOSPC: "the disk is full",
  ENOTDIR: "something that is no directory is in their place",
  EPERM: "the server may not write there",
  EROFS: "the disk is read-only",
};

/** Without the path, which is the server's own. */
function wordsOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) return message;
  const exhaustion = explainExhaustion(error);
  if (exhaustion !== undefined) return exhaustion;
  const cause = CAUSES[code];
  return cause === undefined ? code : `${cause} (${code})`;
}

async function writeNew(path: string, data: Uint8Array, owner: Owner | undefined): Promise<void> {
  await using file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  await file.writeFile(data);
  if (owner !== undefined) await file.chown(owner.uid, owner.gid);
}
