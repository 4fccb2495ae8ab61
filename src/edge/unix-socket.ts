import { chmodSync, lstatSync, statSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { isMainThread } from "node:worker_threads";
import { replaceable } from "../file-trust.ts";

/** A socket in the file system. */
export interface UnixSocket {
  /** Absolute. */
  readonly path: string;
  /** Who may connect: those who can write to it. */
  readonly mode: number;
}

/** Between the socket's making and its mode nobody else may connect to it. */
const OWN_UMASK = 0o177;

/**
 * Has a server listen on a socket in the file system. Node removes it when the server is closed; one that a killed server
 * left is removed here.
 *
 * @throws Error in words: something else is there, a server listens on it, or others could put their own in its place.
 */
export async function bindSocket(
  server: Server,
  { path, mode }: UnixSocket,
  backlog: number,
): Promise<void> {
  refuseDirectory(path);
  await removeStale(path);
  await listening(server, () => listenPrivately(server, path, backlog));
  chmodSync(path, mode);
}

/** Resolves once a server listens. */
export function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    listen();
  });
}

/** A path is bound before `listen` returns. A thread has no umask of its own to set: the one of the process is in force. */
function listenPrivately(server: Server, path: string, backlog: number): void {
  if (!isMainThread) {
    server.listen({ path, backlog });
    return;
  }
  const umask = process.umask(OWN_UMASK);
  try {
    server.listen({ path, backlog });
  } finally {
    process.umask(umask);
  }
}

/** @throws Error in words where others could put a socket of their own in the place of one, or there is no directory for it. */
export function refuseDirectory(path: string): void {
  const directory = dirname(path);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Error(`${directory} is no directory: make it first`);
  }
  // The directory itself is on the way to what is in it, which need not be there yet.
  const weakness = replaceable(`${directory}/.`);
  if (weakness !== undefined) {
    const { path: weak, why, mend } = weakness;
    throw new Error(`${weak}, on the way to it, ${why}: ${mend}`);
  }
}

/** Removes the socket of a server that is gone: nobody answers on it. */
async function removeStale(path: string): Promise<void> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isSocket()) throw new Error("something that is no socket is there: remove it");
  const code = await connectError(path);
  if (code === undefined) throw new Error("another server listens there already");
  if (code !== "ECONNREFUSED") {
    throw new Error(`a socket is there that cannot be connected to (${code}): remove it`);
  }
  unlinkSync(path);
}

/** Why nobody takes a connection; undefined: somebody does. */
export function connectError(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}
