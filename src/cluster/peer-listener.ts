import { once } from "node:events";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { Heartbeats } from "../edge/heartbeats.ts";
import type { RequestListener } from "../edge/http.ts";
import type { TcpAddress } from "../edge/listener.ts";
import type { Log } from "../log.ts";
import { PacedWarning } from "../paced-warning.ts";
import type { Credentials } from "./credentials.ts";
import { END_TRAILER } from "./forwarded-request.ts";
import { CONNECTION_WINDOW_BYTES, PEER_PING_MS, PEER_SESSION } from "./peer-session.ts";

/** From the connection to the end of the handshake, however it comes. */
const HANDSHAKE_MS = 5000;
/** So many may be in their handshake; beyond that the oldest goes, for a replica's takes some milliseconds. */
const MOST_STRANGERS = 64;
/** A replica has one connection to each other one. */
const MOST_PEERS = 4096;

/** The port where other replicas hand on what belongs here. */
export interface PeerListener {
  readonly port: number;
  /** How many replicas are connected. */
  readonly peers: number;
  /** Connections that are made from now on are made with the credentials of the moment. */
  renew(): void;
  /** Takes no more requests; resolves when those under way have been answered. */
  close(): Promise<void>;
  /** Ends every connection now. */
  destroy(): void;
}

/**
 * Listens for other replicas.
 *
 * 1. Nothing of HTTP is read before the handshake has shown that a replica is at the other end.
 * 2. Who has not shown that in time, or comes while too many others have not, is ended. None of that is told to it.
 *
 * @throws Error of `node:net`, such as EADDRINUSE.
 */
export async function listenForPeers(
  address: TcpAddress,
  credentials: () => Credentials,
  answer: RequestListener,
  log: Log,
): Promise<PeerListener> {
  const strangers = new Strangers(log);
  const heartbeats = new Heartbeats(PEER_PING_MS);
  const peers = new Set<TLSSocket>();
  const sessions = new Set<ServerHttp2Session>();
  const http2 = createHttp2Server(PEER_SESSION, (request, response) => {
    response.addTrailers({ [END_TRAILER]: "1" });
    answer(request, response, () => {});
  });
  http2.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => {}); // Its streams hear of it.
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    heartbeats.addSession(session);
    session.once("close", () => sessions.delete(session));
  });
  http2.on("stream", (stream) => {
    heartbeats.count(stream.session, 1);
    stream.once("close", () => heartbeats.count(stream.session, -1));
  });
  const server = createTlsServer({ ...credentials().listening, noDelay: true }, (socket) => {
    const why = whyNoPeer(socket, credentials(), peers.size);
    strangers.remove(socket, why);
    if (why !== undefined) {
      socket.destroy(); // 2.
      return;
    }
    peers.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => peers.delete(socket));
    http2.emit("connection", socket); // 1.
  });
  server.on("connection", (socket: Socket) => strangers.add(socket));
  server.on("tlsClientError", (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    strangers.remove(socket, error.code ?? "no handshake");
    socket.destroy();
  });
  server.listen(address);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get peers() {
      return peers.size;
    },
    renew: () => server.setSecureContext(credentials().listening),
    async close() {
      const closed = once(server, "close");
      server.close();
      strangers.end();
      for (const session of sessions) session.close();
      await closed;
      heartbeats.stop();
    },
    destroy() {
      for (const socket of peers) socket.destroy();
    },
  };
}

function whyNoPeer(socket: TLSSocket, credentials: Credentials, peers: number): string | undefined {
  if (!credentials.isPeer(socket)) return "no certificate of a replica";
  if (socket.alpnProtocol !== "h2") return "no HTTP/2";
  return peers < MOST_PEERS ? undefined : "too many replicas";
}

/** The connections of those who have not shown yet who they are. */
class Strangers {
  /** In the order in which they came, by the port at their end: TLS shows another object in the place of the socket. */
  readonly #waiting = new Map<string, { socket: Socket; timer: NodeJS.Timeout }>();
  readonly #refused: PacedWarning;

  constructor(log: Log) {
    this.#refused = new PacedWarning(log, "connections of no replica were ended", "ended");
  }

  add(socket: Socket): void {
    socket.on("error", () => {});
    const ends = endsOf(socket);
    const [oldest] = this.#waiting.values();
    if (this.#waiting.size >= MOST_STRANGERS) this.#end(oldest!.socket, "too many at a time");
    const timer = setTimeout(() => this.#end(socket, "no handshake in time"), HANDSHAKE_MS);
    this.#waiting.set(ends, { socket, timer });
    socket.once("close", () => {
      if (this.#waiting.has(ends)) this.#refused.count("not let in, or gone");
      this.#forget(ends);
    });
  }

  /** @param why - Undefined: it is none any more. */
  remove(socket: Socket, why: string | undefined): void {
    if (why !== undefined) this.#refused.count(why);
    this.#forget(endsOf(socket));
  }

  end(): void {
    for (const { socket } of this.#waiting.values()) socket.destroy();
    this.#refused.stop();
  }

  #end(socket: Socket, why: string): void {
    this.#refused.count(why);
    this.#forget(endsOf(socket));
    socket.destroy();
  }

  #forget(ends: string): void {
    clearTimeout(this.#waiting.get(ends)?.timer);
    this.#waiting.delete(ends);
  }
}

function endsOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
