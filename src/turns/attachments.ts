import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as othersServed } from "node:timers/promises";
import type { AgentImage } from "../agent/agent.ts";
import { explainExhaustion } from "../exhaustion.ts";
import type { AttachmentRecord } from "../store/store.ts";

/** A file that goes with a prompt; its name is one, and no path. */
export interface Attachment {
  readonly name: string;
  readonly mediaType: string;
  readonly data: Uint8Array;
}

/** What becomes of attachments: what the model is shown, and where in the workspace the rest lies. */
export interface PlacedAttachments {
  readonly images: AgentImage[];
  /** Relative to the workspace. */
  readonly files: string[];
}

/** What is hashed at once: about a millisecond. */
const HASHED_BYTES = 1024 * 1024;

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;

/**
 * Puts files into the workspace, in a folder of the turn's own: there no name means anything to the agent's program
 * (`CLAUDE.md`, `.mcp.json`), and nothing is there yet. Images stay in memory.
 *
 * The agent can write to the workspace and may put links into the way: none is followed.
 *
 * @throws Error where a file cannot be written, which says why in words for the operator; nothing is left of them then.
 */
export async function placeAttachments(
  workspace: string,
  turnId: string,
  attachments: readonly Attachment[],
): Promise<PlacedAttachments> {
  const images = attachments.filter(isImage);
  const files = attachments.filter((attachment) => !isImage(attachment));
  const folder = `attachments-${turnId}`;
  if (files.length > 0) await writeFiles(join(workspace, folder), files);
  return { images, files: files.map(({ name }) => join(folder, name)) };
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

function isImage({ mediaType }: Attachment): boolean {
  return mediaType.startsWith("image/");
}

async function writeFiles(path: string, files: readonly Attachment[]): Promise<void> {
  try {
    // Fails where anything is there already, a link too.
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    throw new Error(wordsOf(error), { cause: error });
  }
  try {
    await using folder = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    for (const { name, data } of files) await writeNew(placeIn(folder, path, name), data);
  } catch (error) {
    // Where that fails too, the first failure is the one to tell of.
    await rm(path, { recursive: true, force: true }).catch(() => {});
    throw new Error(wordsOf(error), { cause: error });
  }
}

const CAUSES: Readonly<Record<string, string>> = {
  EACCES: "the server may not write there",
  EDQUOT: "the disk quota is used up",
  EEXIST: "something is in their place already",
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

/** By the open folder, where the system has names for open files: what replaces it by then is not written to. */
function placeIn(folder: FileHandle, path: string, name: string): string {
  const open = `/proc/self/fd/${folder.fd}`;
  return join(process.platform === "linux" ? open : path, name);
}

async function writeNew(path: string, data: Uint8Array): Promise<void> {
  await using file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  await file.writeFile(data);
}
