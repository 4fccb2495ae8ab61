import type { Readable } from "node:stream";

/** Where snapshots are kept, by keys of `SNAPSHOT_KEY`'s kind. What is written is there whole, or not at all. */
export interface SnapshotPlace {
  /** @param signal - Ends it; nothing is kept then. */
  write(key: string, bytes: Readable, signal: AbortSignal): Promise<void>;
  /** @throws Error where there is none of that key, or it cannot be read. */
  read(key: string, signal: AbortSignal): Promise<Readable>;
  /** The keys that begin with a session's. */
  list(session: string): Promise<string[]>;
  /** Idempotent. */
  remove(key: string): Promise<void>;
}

/** How a place is reached. */
export type SnapshotAddress =
  | { readonly kind: "folder"; readonly path: string }
  | {
      readonly kind: "s3";
      readonly bucket: string;
      /** Empty, or ends with a slash. */
      readonly prefix: string;
      /** Undefined: as the SDK finds it, such as in a profile. */
      readonly region: string | undefined;
      /** Of a server other than Amazon's, which then has buckets as folders. */
      readonly endpoint: string | undefined;
      /** Undefined: as the SDK finds them, such as those of the machine's role. */
      readonly credentials:
        | {
            readonly accessKeyId: string;
            readonly secretAccessKey: string;
            readonly sessionToken?: string | undefined;
          }
        | undefined;
    };
