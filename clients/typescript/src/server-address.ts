import { connect, type Socket } from "node:net";

/** What the URL of a socket in the file system begins with. */
const UNIX = "unix:";
/** What a server on one is called: it has no name of its own. */
const UNIX_ORIGIN = "http://localhost";

/** Where a server is, and how a connection to it is made. */
export interface ServerAddress {
  /** The origin that calls are made to. */
  readonly origin: string;
  /** Undefined: as the origin says. */
  readonly createConnection?: () => Socket;
}

/**
 * Reads the URL of a server: one of http or https, or `unix:` and the absolute path of a socket in the file system.
 *
 * @throws TypeError for a path that is not absolute.
 */
export function serverAddress(url: string): ServerAddress {
  if (!url.startsWith(UNIX)) return { origin: url };
  // `unix:///run/socket`, as other clients of gRPC take it too.
  const path = url.slice(UNIX.length).replace(/^\/\/(?=\/)/, "");
  if (!path.startsWith("/")) throw new TypeError(`the path in ${url} must begin with a slash`);
  return { origin: UNIX_ORIGIN, createConnection: () => connect(path) };
}
