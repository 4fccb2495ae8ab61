import type { SnapshotAddress, SnapshotPlace } from "./snapshot-place.ts";

/** Opens a place. What it takes is loaded then: a server without snapshots has no use for it. */
export async function openPlace(address: SnapshotAddress): Promise<SnapshotPlace> {
  if (address.kind === "folder") {
    return new (await import("./folder-place.ts")).FolderPlace(address.path);
  }
  return new (await import("./s3-place.ts")).S3Place(address);
}
