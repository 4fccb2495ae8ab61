import type { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import type { SnapshotAddress, SnapshotPlace } from "./snapshot-place.ts";

/** So much of a snapshot is in memory; 10,000 parts are the most that there can be. */
const PART_BYTES = 16 * 1024 * 1024;
/** How long a connection may take, and how long one may be silent. */
const CONNECT_MS = 5000;
const SILENT_MS = 30_000;
const ATTEMPTS = 3;

/** Snapshots in a bucket of S3, or of what speaks like it. */
export class S3Place implements SnapshotPlace {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  constructor(address: SnapshotAddress & { kind: "s3" }) {
    const { bucket, prefix, region, endpoint, credentials } = address;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#client = new S3Client({
      maxAttempts: ATTEMPTS,
      requestHandler: {
        connectionTimeout: CONNECT_MS,
        requestTimeout: SILENT_MS,
        throwOnRequestTimeout: true,
      },
      ...(region === undefined ? {} : { region }),
      ...(credentials === undefined
        ? {}
        : { credentials: { ...credentials, sessionToken: credentials.sessionToken ?? "" } }),
      // Not all that speak like S3 know of the newer checksums; a snapshot has one of its own.
      ...(endpoint === undefined
        ? {}
        : {
            endpoint,
            forcePathStyle: true,
            requestChecksumCalculation: "WHEN_REQUIRED",
            responseChecksumValidation: "WHEN_REQUIRED",
          }),
    });
  }

  async write(key: string, bytes: Readable, signal: AbortSignal): Promise<void> {
    const upload = new Upload({
      client: this.#client,
      params: { Bucket: this.#bucket, Key: this.#prefix + key, Body: bytes },
      partSize: PART_BYTES,
      queueSize: 1,
      leavePartsOnError: false,
    });
    const abort = () => void upload.abort();
    signal.addEventListener("abort", abort, { once: true });
    try {
      signal.throwIfAborted();
      await upload.done();
    } finally {
      signal.removeEventListener("abort", abort);
      bytes.destroy();
    }
  }

  async read(key: string, signal: AbortSignal): Promise<Readable> {
    const command = new GetObjectCommand({ Bucket: this.#bucket, Key: this.#prefix + key });
    const { Body } = await this.#client.send(command, { abortSignal: signal });
    return Body as Readable;
  }

  async list(session: string): Promise<string[]> {
    const keys: string[] = [];
    let token: string | undefined;
    do {
      const page = await this.#client.send(
        new ListObjectsV2Command({
          Bucket: this.#bucket,
          Prefix: `${this.#prefix}${session}/`,
          ContinuationToken: token,
        }),
      );
      for (const { Key } of page.Contents ?? []) {
        if (Key !== undefined) keys.push(Key.slice(this.#prefix.length));
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return keys;
  }

  async remove(key: string): Promise<void> {
    const command = new DeleteObjectCommand({ Bucket: this.#bucket, Key: this.#prefix + key });
    await this.#client.send(command);
  }
}
