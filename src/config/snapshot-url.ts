import { resolve } from "node:path";
import type { Environment } from "./environment.ts";

/** Where snapshots of workspaces are kept. */
export type SnapshotUrl = FolderUrl | BucketUrl;

interface FolderUrl {
  readonly kind: "folder";
  /** Absolute. */
  readonly path: string;
}

interface BucketUrl {
  readonly kind: "s3";
  readonly bucket: string;
  /** Empty, or ends with a slash. */
  readonly prefix: string;
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
}

/** What else it takes to reach a bucket. What is undefined is what the SDK finds by itself: a profile, a role of the machine. */
export type SnapshotAddress =
  | FolderUrl
  | (BucketUrl & { readonly credentials: SnapshotCredentials | undefined });

interface SnapshotCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^[\w!.*'()/=-]{0,512}$/;
const PARAMETERS = ["endpoint", "region"];

/** Reads `file:/FOLDER` or `s3://BUCKET/PREFIX?endpoint=…&region=…`. Undefined: it is neither. */
export function readSnapshotUrl(text: string): SnapshotUrl | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const { protocol, host, pathname, searchParams, username, hash } = url;
  if (username !== "" || hash !== "") return undefined;
  if (protocol === "file:" && host === "" && searchParams.size === 0) {
    return { kind: "folder", path: resolve(decodeURIComponent(pathname)) };
  }
  const [endpoint, region] = PARAMETERS.map((name) => searchParams.get(name) ?? undefined);
  const prefix = pathname.replace(/^\/+|\/+$/g, "");
  const isUsable =
    protocol === "s3:" &&
    BUCKET.test(host) &&
    PREFIX.test(prefix) &&
    [...searchParams.keys()].every((name) => PARAMETERS.includes(name)) &&
    (endpoint === undefined || /^https?:\/\/[^/]+\/?$/.test(endpoint));
  if (!isUsable) return undefined;
  const folder = prefix === "" ? "" : `${prefix}/`;
  return { kind: "s3", bucket: host, prefix: folder, region, endpoint };
}

/** As the variables complete it that the SDK of S3 has, where the URL does not say. */
export function completeSnapshotUrl(
  url: SnapshotUrl | undefined,
  environment: Environment,
): SnapshotAddress | undefined {
  if (url === undefined || url.kind === "folder") return url;
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment;
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION } = environment;
  const hasKeys = accessKeyId && secretAccessKey;
  const sessionToken = environment.AWS_SESSION_TOKEN || undefined;
  const endpoint = url.endpoint ?? (AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL || undefined);
  const region = url.region ?? (AWS_REGION || AWS_DEFAULT_REGION || undefined);
  return {
    ...url,
    endpoint,
    // Others than Amazon's have none, and the SDK wants one.
    region: region ?? (endpoint === undefined ? undefined : "us-east-1"),
    credentials: hasKeys ? { accessKeyId, secretAccessKey, sessionToken } : undefined,
  };
}
