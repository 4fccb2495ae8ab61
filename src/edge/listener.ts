import { createServer as createHttp1Server } from "node:http";
import { createServer as createHttp2Server, createSecureServer } from "node:http2";
import { createServer as createNetServer, type Server } from "node:net";
import { Server as TlsServer } from "node:tls";
import type { ListenAddress } from "../config.ts";
import { Connections } from "./connections.ts";
import { readHttpVersion } from "./first-bytes.ts";
import { Heartbeats } from "./heartbeats.ts";
import type { RequestListener } from "./http.ts";

/** A connection that says nothing is closed. */
const FIRST_BYTES_MS = 10_000;
/** Node takes thousands by default; one client's flood must leave the others their share. */
const MAX_STREAMS_PER_CONNECTION = 256;
/** As many as come back at once after a cut; Linux takes 4096 where it is not told otherwise, Node would ask for 511. */
const BACKLOG = 4096;

/** Bounds of a listener's connections. */
export interface ConnectionLimits {
  /** Beyond them new ones are closed at once. */
  readonly maxConnections: number;
  /** How long a peer may be silent before it is asked, and how long it may take to answer, in milliseconds. */
  readonly pingMs: number;
}

/** A port that accepts connections. */
export interface Listener {
  /** The port, also where any free one was asked for. */
  readonly port: number;
  /** Accepts no more connections and lets the requests under way end; resolves when the last has. */
  close(): Promise<void>;
  /** Shows connections from now on another certificate. Only where it listened with one. */
  setCertificate(tls: { readonly cert: Buffer; readonly key: Buffer }): void;
  /** Ends every connection now. */
  destroy(): void;
}

/**
 * Listens for HTTP/1.1 and HTTP/2 on one port, with TLS where there is a certificate.
 *
 * @param listenerFor - Makes the answerer, once the port is known.
 * @throws Error of `node:net`, such as EADDRINUSE.
 */
export async function listen(
  address: ListenAddress,
  tls: { readonly cert: Buffer; readonly key: Buffer } | undefined,
  { maxConnections, pingMs }: ConnectionLimits,
  listenerFor: (port: number) => RequestListener,
): Promise<Listener> {
  let answer: RequestListener | undefined;
  const heartbeats = new Heartbeats(pingMs);
  const connections = new Connections(heartbeats);
  const onRequest: RequestListener = (request, response) => {
    connections.addRequest(request, response);
    answer?.(request, response);
  };
  const server =
    tls === undefined
      ? cleartextServer(onRequest, connections)
      : tlsServer(tls, onRequest, connections);
  server.maxConnections = maxConnections;
  server.once("close", () => heartbeats.stop());
  await bind(server, address);
  const { port } = server.address() as { port: number };
  answer = listenerFor(port);
  return {
    port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      connections.close();
      await closed;
    },
    setCertificate: (tls) => {
      if (server instanceof TlsServer) server.setSecureContext(tls);
    },
    destroy: () => connections.destroy(),
  };
}

function cleartextServer(onRequest: RequestListener, connections: Connections): Server {
  const http1 = createHttp1Server(onRequest);
  // It never listens itself, but only this makes it keep its time-outs.
  http1.emit("listening");
  const http2 = createHttp2Server(http2Options, onRequest);
  http2.on("session", (session) => connections.addSession(session));
  const server = createNetServer((socket) => {
    connections.add(socket);
    socket.on("error", () => socket.destroy());
    const timer = setTimeout(() => socket.destroy(), FIRST_BYTES_MS);
    void readHttpVersion(socket).then((version) => {
      clearTimeout(timer);
      if (version === undefined) return;
      const isHttp2 = version === "HTTP/2";
      if (isHttp2) connections.addMultiplexed(socket);
      (isHttp2 ? http2 : http1).emit("connection", socket);
    });
  });
  server.once("close", () => http1.close());
  return server;
}

function tlsServer(
  tls: { readonly cert: Buffer; readonly key: Buffer },
  onRequest: RequestListener,
  connections: Connections,
): Server {
  const options = { ...http2Options, ...tls, allowHTTP1: true, handshakeTimeout: FIRST_BYTES_MS };
  const server = createSecureServer(options, onRequest);
  server.on("session", (session) => connections.addSession(session));
  server.on("secureConnection", (socket) => {
    connections.add(socket);
    if (socket.alpnProtocol === "h2") connections.addMultiplexed(socket);
  });
  return server;
}

const http2Options = {
  settings: { maxConcurrentStreams: MAX_STREAMS_PER_CONNECTION },
  // A client that opens streams and resets them; neither applies without the other (nodejs/node#54875).
  streamResetBurst: 1000,
  streamResetRate: 33,
  maxSessionInvalidFrames: 100,
};

function bind(server: Server, { host, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host, backlog: BACKLOG }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
