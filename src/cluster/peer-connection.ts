import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Heartbeats } from "../edge/heartbeats.ts";
import type { Credentials } from "./credentials.ts";
import { CONNECTION_WINDOW_BYTES, PEER_SESSION } from "./peer-session.ts";

/** How long connecting may take: the name, the connection, both proofs, and the first that is said over it. */
const CONNECT_MS = 2000;

/**
 * Connects to another replica. Resolves when it has said, over what is encrypted, that it takes requests: before that nobody
 * knows whether it takes this server for one.
 *
 * @param address - `HOST:PORT`.
 * @throws Error in words for the operator.
 */
export async function connectToPeer(
  address: string,
  { connecting }: Credentials,
  heartbeats: Heartbeats,
): Promise<ClientHttp2Session> {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  const socket = connectTls({ ...connecting, host, port: Number(address.slice(colon + 1)) });
  const { promise, resolve, reject } = Promise.withResolvers<ClientHttp2Session>();
  const fail = (error: Error) => {
    socket.destroy();
    reject(error);
  };
  const timer = setTimeout(() => fail(new Error(`no answer in ${CONNECT_MS} ms`)), CONNECT_MS);
  socket.on("error", fail);
  socket.once("close", () => reject(new Error("it closed the connection")));
  socket.once("secureConnect", () => {
    if (socket.alpnProtocol !== "h2") fail(new Error("it does not speak HTTP/2"));
    else speak(socket, heartbeats, resolve, fail);
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

function speak(
  socket: TLSSocket,
  heartbeats: Heartbeats,
  resolve: (session: ClientHttp2Session) => void,
  fail: (error: Error) => void,
): void {
  socket.setNoDelay(true);
  const session = connectHttp2("https://replica", {
    ...PEER_SESSION,
    createConnection: () => socket,
  });
  session.on("error", fail);
  session.once("remoteSettings", () => {
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    heartbeats.addSession(session);
    resolve(session);
  });
}
