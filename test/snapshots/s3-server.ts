import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { SnapshotAddress } from "../../src/snapshots/snapshot-place.ts";
import { freePort } from "../support/free-port.ts";

export const BUCKET = "workspaces";

/** A real S3 server on loopback, with a bucket. */
export interface S3Server extends AsyncDisposable {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** The server's file of an object. */
  fileOf(key: string): string;
}

/** Where `.ci/run` has installed it, or on PATH. Undefined: there is none. */
export function findS3Server(): string | undefined {
  const own = fileURLToPath(new URL("../tools/bin", import.meta.url));
  const folders = [own, ...(process.env.PATH ?? "").split(delimiter)];
  return folders.map((folder) => join(folder, "versitygw")).find((path) => existsSync(path));
}

/** For the titles of tests that want one. */
export function withoutS3(): string {
  return findS3Server() === undefined
    ? " (left out: no versitygw here; go -C test/tools install tool)"
    : "";
}

export async function startS3Server(): Promise<S3Server> {
  const program = findS3Server()!;
  const folder = await mkdtemp(join(tmpdir(), "breakglass-s3-"));
  await mkdir(join(folder, "data", BUCKET), { recursive: true });
  await mkdir(join(folder, "sidecar"));
  const port = await freePort();
  const [accessKeyId, secretAccessKey] = ["tester", randomUUID()];
  const keys = ["--access", accessKeyId, "--secret", secretAccessKey];
  const listen = ["--port", `127.0.0.1:${port}`, "--quiet"];
  const backend = ["posix", "--sidecar", join(folder, "sidecar"), join(folder, "data")];
  const child = spawn(program, [...keys, ...listen, ...backend], { stdio: "ignore", env: {} });
  await answering(port, child);
  return {
    endpoint: `http://127.0.0.1:${port}`,
    accessKeyId,
    secretAccessKey,
    fileOf: (key) => join(folder, "data", BUCKET, key),
    async [Symbol.asyncDispose]() {
      const ended = child.exitCode === null ? once(child, "exit") : undefined;
      child.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** How a server of S3 reaches it. */
export function addressOf(
  { accessKeyId, secretAccessKey }: S3Server,
  endpoint: string,
  more: Partial<SnapshotAddress & { kind: "s3" }> = {},
): SnapshotAddress {
  const credentials = { accessKeyId, secretAccessKey, sessionToken: undefined };
  return {
    ...{ kind: "s3", bucket: BUCKET, prefix: "some/where/", region: "us-east-1" },
    ...{ endpoint, credentials },
    ...more,
  };
}

/** Stands before a server, and cuts or stalls what is sent to it. */
export interface FaultyRelay extends AsyncDisposable {
  readonly endpoint: string;
}

/** @param afterBytes - Of all that was sent through it. */
export async function startRelay(
  { endpoint }: S3Server,
  fault: "cut" | "stall",
  afterBytes: number,
): Promise<FaultyRelay> {
  const { port } = new URL(endpoint);
  const sockets = new Set<Socket>();
  let left = afterBytes;
  const relay = createServer((client) => {
    const server = connect(Number(port), "127.0.0.1");
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
    server.pipe(client);
    client.on("data", (piece) => {
      left -= piece.length;
      if (left >= 0) server.write(piece);
      else if (fault === "cut") client.destroy();
    });
    client.on("close", () => server.destroy());
    server.on("close", () => client.destroy());
  });
  await once(relay.listen(0, "127.0.0.1"), "listening");
  const { port: own } = relay.address() as { port: number };
  return {
    endpoint: `http://127.0.0.1:${own}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => relay.close(resolve));
    },
  };
}

async function answering(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    const isUp = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (isUp) return;
    if (child.exitCode !== null) throw new Error("the S3 server does not start");
    await delay(30);
  }
}
