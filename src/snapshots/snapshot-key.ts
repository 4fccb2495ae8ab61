/** A key of a snapshot, below the place's prefix. */
export interface SnapshotKey {
  readonly sessionKey: string;
  /** The incarnation of the server that took it: the epoch of its lease. */
  readonly epoch: number;
  readonly turnId: string;
  /** In milliseconds. */
  readonly time: number;
}

const PATTERN = /^([^/]+)\/(\d+)-([0-9a-f-]+)-(\d+)\.tar\.zst$/;

export function keyText({ sessionKey, epoch, turnId, time }: SnapshotKey): string {
  return `${folderOf(sessionKey)}/${epoch}-${turnId}-${time}.tar.zst`;
}

/** Of which incarnation a key is. Undefined: it is none of ours. */
export function epochOf(key: string): number | undefined {
  const [, , epoch] = PATTERN.exec(key) ?? [];
  return epoch === undefined ? undefined : Number(epoch);
}

/** What all of a session's keys begin with, before the slash. Old sessions have keys of another's making. */
export function folderOf(sessionKey: string): string {
  return encodeURIComponent(sessionKey).replaceAll(".", "%2E");
}
