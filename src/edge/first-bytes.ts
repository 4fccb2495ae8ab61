import type { Socket } from "node:net";

/** What HTTP/2's connection preface begins with (RFC 9113, 3.4), and no HTTP/1.1 request does. */
const HTTP2_PREFACE = Buffer.from("PRI ");

/** The version of HTTP that a connection in clear text speaks. */
export type HttpVersion = "HTTP/1.1" | "HTTP/2";

/**
 * Tells the version by as many first bytes as it takes, and puts them back in front of the rest.
 *
 * They are put back once, when it is decided: a stream that is given back what it was read of is readable again at once,
 * and whoever looks at it again before there is more never leaves the event loop to anybody else.
 *
 * Resolves with undefined where the connection ends before; it is closed then. Who says nothing is the caller's to end.
 */
export function readHttpVersion(socket: Socket): Promise<HttpVersion | undefined> {
  return new Promise((resolve) => {
    const held: Buffer[] = [];
    const finish = (version: HttpVersion | undefined) => {
      socket.off("readable", look);
      socket.off("close", end);
      socket.off("end", end);
      resolve(version);
    };
    const end = () => {
      socket.destroy();
      finish(undefined);
    };
    const look = () => {
      const bytes: Buffer | null = socket.read();
      if (bytes === null) return;
      held.push(bytes);
      const all = Buffer.concat(held);
      const version = versionOf(all);
      if (version === undefined) return;
      socket.unshift(all);
      finish(version);
    };
    socket.on("readable", look);
    socket.once("close", end);
    socket.once("end", end);
  });
}

/** Undefined: either may still come of it. */
function versionOf(bytes: Buffer): HttpVersion | undefined {
  const first = bytes.subarray(0, HTTP2_PREFACE.length);
  if (!HTTP2_PREFACE.subarray(0, first.length).equals(first)) return "HTTP/1.1";
  return first.length === HTTP2_PREFACE.length ? "HTTP/2" : undefined;
}
