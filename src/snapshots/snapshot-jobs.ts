import { chownSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { constants, createZstdCompress, createZstdDecompress } from "node:zlib";
import type { Owner } from "../files/owner.ts";
import { openPlace } from "./open-place.ts";
import { packTree, surveyTree, TooLargeError } from "./pack-tree.ts";
import { epochOf } from "./snapshot-key.ts";
import type { SnapshotAddress, SnapshotPlace } from "./snapshot-place.ts";
import type { LeftOut } from "./tree-walk.ts";
import { unpackTree } from "./unpack-tree.ts";

/** What a snapshot may take. */
export interface SnapshotLimits {
  /** Of a workspace's files together. */
  readonly maxBytes: number;
  /** How much of them is read in a second. */
  readonly bytesPerSecond: number;
  /** How long it may take, in milliseconds. */
  readonly longestMs: number;
}

/** What the thread is asked. */
export type SnapshotJob =
  | {
      readonly kind: "save";
      readonly address: SnapshotAddress;
      readonly key: string;
      readonly workspace: string;
      readonly limits: SnapshotLimits;
      /** What the workspace was like when it was saved last. */
      readonly fingerprint: string | undefined;
    }
  | {
      readonly kind: "restore";
      readonly address: SnapshotAddress;
      readonly key: string;
      readonly workspace: string;
      readonly limits: SnapshotLimits;
      readonly owner: Owner | undefined;
    }
  | { readonly kind: "remove-one"; readonly address: SnapshotAddress; readonly key: string }
  | {
      /** Removes a session's, but for one, that were taken by an incarnation or before. */
      readonly kind: "remove";
      readonly address: SnapshotAddress;
      readonly session: string;
      readonly except: string | undefined;
      readonly upTo: number | undefined;
    };

/** What came of it. */
export type SnapshotAnswer =
  | { readonly outcome: "saved"; readonly fingerprint: string; readonly leftOut: LeftOut }
  | { readonly outcome: "unchanged" }
  | { readonly outcome: "too-large"; readonly message: string }
  | { readonly outcome: "restored"; readonly leftOut: LeftOut }
  | { readonly outcome: "removed" }
  | { readonly outcome: "failed"; readonly message: string };

/** Done by a thread of its own: neither reading nor packing holds up a turn. Never rejects. */
export async function perform(job: SnapshotJob): Promise<SnapshotAnswer> {
  try {
    const place = await openPlace(job.address);
    if (job.kind === "save") return await save(job, place);
    if (job.kind === "restore") return await restore(job, place);
    if (job.kind === "remove-one") await place.remove(job.key);
    else await removeOlder(job, place);
    return { outcome: "removed" };
  } catch (error) {
    if (error instanceof TooLargeError) return { outcome: "too-large", message: error.message };
    return { outcome: "failed", message: messageOf(error) };
  }
}

async function removeOlder(
  { session, except, upTo }: SnapshotJob & { kind: "remove" },
  place: SnapshotPlace,
): Promise<void> {
  for (const key of await place.list(session)) {
    const epoch = epochOf(key);
    const isOlder = upTo === undefined || (epoch !== undefined && epoch <= upTo);
    if (isOlder && key !== except) await place.remove(key);
  }
}

async function save(
  { key, workspace, limits, fingerprint: before }: SnapshotJob & { kind: "save" },
  place: SnapshotPlace,
): Promise<SnapshotAnswer> {
  const { maxBytes, bytesPerSecond, longestMs } = limits;
  const { fingerprint } = surveyTree(workspace, maxBytes);
  if (fingerprint === before) return { outcome: "unchanged" };
  const { bytes, leftOut } = packTree(workspace, maxBytes);
  const compress = createZstdCompress({ params: COMPRESSION });
  const read = Readable.from(paced(bytes, bytesPerSecond));
  read.on("error", (error) => compress.destroy(error));
  compress.on("close", () => read.destroy());
  await place.write(key, read.pipe(compress), AbortSignal.timeout(longestMs));
  return { outcome: "saved", fingerprint, leftOut };
}

const COMPRESSION = {
  [constants.ZSTD_c_compressionLevel]: 1,
  [constants.ZSTD_c_checksumFlag]: 1,
};

/** No more than so much in a second, of what is read and so of the disk, the processor and the network. */
async function* paced(bytes: AsyncIterable<Uint8Array>, perSecond: number) {
  const began = performance.now();
  let passed = 0;
  for await (const piece of bytes) {
    yield piece;
    passed += piece.length;
    const early = (passed / perSecond) * 1000 - (performance.now() - began);
    if (early > 5) await delay(early);
  }
}

/** Beside the workspace until it is whole: what was interrupted is not taken for one. */
async function restore(
  { key, workspace, limits, owner }: SnapshotJob & { kind: "restore" },
  place: SnapshotPlace,
): Promise<SnapshotAnswer> {
  // It was restored before, and what tells so was not recorded: an agent may have worked in it since.
  if (existsSync(workspace) && readdirSync(workspace).length > 0) {
    return { outcome: "restored", leftOut: { count: 0, some: [] } };
  }
  const unfinished = join(dirname(workspace), `.restoring-${basename(workspace)}`);
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  try {
    const bytes = await place.read(key, AbortSignal.timeout(limits.longestMs));
    const read = createZstdDecompress();
    bytes.on("error", (error) => read.destroy(error));
    read.on("close", () => bytes.destroy());
    const { maxBytes } = limits;
    const leftOut = await unpackTree(bytes.pipe(read), unfinished, { maxBytes, owner });
    if (owner !== undefined) chownSync(unfinished, owner.uid, owner.gid);
    renameSync(unfinished, workspace);
    return { outcome: "restored", leftOut };
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    throw error;
  }
}

function messageOf(error: unknown): string {
  const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  return status === undefined ? message : `${name} (${status}): ${message}`;
}
