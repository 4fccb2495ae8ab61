import { createServer as createHttp1Server } from "node:http";
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from "node:http2";
import { createServer as createNetServer, type Server, type Socket } from "node:net";
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type Server as TlsServer,
} from "node:tls";
import type { Certificate } from "../certificate.ts";
import type { Log } from "../log.ts";
import { Connections } from "./connections.ts";
import { type HttpVersion, readHttpVersion } from "./first-bytes.ts";
import { Heartbeats } from "./heartbeats.ts";
import type { HttpRequest, HttpResponse, RequestListener } from "./http.ts";
import { notePeer } from "./peer.ts";
import { RequestQueues } from "./request-queues.ts";
import type { ResetLimits } from "./reset-limits.ts";

/** Headers that have begun must end within it; before that there is the time that a connection has for its first request. */
const HEADERS_MS = 10_000;
/** How often Node looks for those that have not. */
const HEADERS_LOOK_MS = 1000;
/** Node takes thousands by default; one client's flood must leave the others their share. */
const MAX_STREAMS_PER_CONNECTION = 256;
/** As many as come back at once after a cut; Linux takes 4096 where it is not told otherwise, Node would ask for 511. */
const BACKLOG = 4096;

/** Bounds of a listener's connections. */
export interface ConnectionLimits {
  /** Beyond them new ones are closed at once; see `ConnectionPlaces` for who has how many. */
  readonly maxConnections: number;
  /** How long a peer may be silent before it is asked, and how long it may take to answer, in milliseconds. */
  readonly pingMs: number;
  /** What may be reset over HTTP/2. */
  readonly resets: ResetLimits;
}

/** What a port is encrypted with. */
export interface ListenerTls extends Certificate {
  /** PEM of who signs the certificates of clients, without which none gets in. Undefined: none is asked for. */
  readonly clientCa?: Uint8Array | undefined;
  /** Whether a client gets in that shows none as well. One that is not trusted does not. */
  readonly isClientCertificateOptional?: boolean;
}

/** A port that accepts connections. */
export interface Listener {
  /** The port, also where any free one was asked for. */
  readonly port: number;
  /** Accepts no more connections and lets the requests under way end; resolves when the last has. */
  close(): Promise<void>;
  /** Shows connections from now on another certificate, and trusts others' signers. Only where it listened with one. */
  setCertificate(next: Certificate & Pick<ListenerTls, "clientCa">): void;
  /** Ends every connection now. */
  destroy(): void;
}

/** Where connections come in. */
export interface ListenAddress {
  /** A host name or an address, without brackets. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

/** Serves a connection in that version of HTTP. */
type Speak = (socket: Socket, version: HttpVersion) => void;

/**
 * Listens for HTTP/1.1 and HTTP/2 on one port, with TLS where there is what it takes.
 *
 * @param listenerFor - Makes the answerer, once the port is known.
 * @throws Error of `node:net`, such as EADDRINUSE.
 */
export async function listen(
  address: ListenAddress,
  encryption: ListenerTls | undefined,
  { maxConnections, pingMs, resets }: ConnectionLimits,
  log: Log,
  listenerFor: (port: number) => RequestListener,
): Promise<Listener> {
  let answer: RequestListener | undefined;
  const heartbeats = new Heartbeats(pingMs);
  const connections = new Connections(maxConnections, heartbeats, log);
  const { speak, stop } = createSpeakers(connections, resets, (...args) => answer?.(...args));
  const tls = encryption && createHandshaker(encryption, connections, speak);
  const receive = tls ? (socket: Socket) => tls.emit("connection", socket) : clearReceiver(speak);
  const server = createNetServer({ noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    notePeer(socket, typeof server.address() === "string");
    if (connections.accept(socket)) receive(socket);
  });
  server.once("close", () => {
    heartbeats.stop();
    connections.stop();
    stop();
  });
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
    setCertificate: replaceContext(encryption, tls),
    destroy: () => connections.destroy(),
  };
}

/** Takes connections in clear text. */
function clearReceiver(speak: Speak): (socket: Socket) => void {
  return (socket) => {
    void readHttpVersion(socket).then((version) => version && speak(socket, version));
  };
}

/** Takes connections that begin with the handshake of TLS. It has no time of its own: that of the first request is in force. */
function createHandshaker(
  encryption: ListenerTls,
  connections: Connections,
  speak: Speak,
): TlsServer {
  const requestCert = encryption.clientCa !== undefined;
  const options = {
    ...contextOf(encryption),
    requestCert,
    rejectUnauthorized: encryption.isClientCertificateOptional !== true,
    ALPNProtocols: ["h2", "http/1.1"],
  };
  return createTlsServer(options, (socket) => {
    if (connections.secure(socket))
      speak(socket, socket.alpnProtocol === "h2" ? "HTTP/2" : "HTTP/1.1");
  });
}

/** Sessions of TLS cannot be gone on with behind a new context: there is one only where something of it is another. */
function replaceContext(
  encryption: ListenerTls | undefined,
  tls: TlsServer | undefined,
): Listener["setCertificate"] {
  let shown = encryption;
  return (next) => {
    const isSame = (["cert", "key", "clientCa"] as const).every(
      (part) => shown?.[part] === next[part],
    );
    if (isSame) return;
    shown = { ...shown, ...next };
    tls?.setSecureContext(contextOf(shown));
  };
}

/** What Node takes again with each new certificate: what it is not given then it forgets. */
function contextOf({ cert, key, clientCa }: ListenerTls): SecureContextOptions {
  return { cert, key, ...(clientCa && { ca: Buffer.from(clientCa) }) };
}

/** Node's servers for either version. They never listen themselves. */
function createSpeakers(
  connections: Connections,
  resets: ResetLimits,
  answer: RequestListener,
): { speak: Speak; stop: () => void } {
  const queues = new RequestQueues(answer);
  const onRequest = (request: HttpRequest, response: HttpResponse) => {
    const connection = connections.of(request);
    if (connection === undefined) return; // It is closed by now.
    const admitted = () => connections.admit(connection);
    const isTaken = "stream" in request || queues.add(request, response, admitted);
    if (isTaken) connections.addRequest(connection, response);
    if ("stream" in request) answer(request, response, admitted);
  };
  const http1 = createHttp1Server(http1Options, onRequest);
  // Only this makes it keep its time-outs.
  http1.emit("listening");
  const http2 = createHttp2Server(http2Options, onRequest);
  http2.on("session", (session) => {
    connections.addSession(session);
    resets.watch(session);
  });
  http2.on("checkContinue", (request: Http2ServerRequest, response: Http2ServerResponse) => {
    // Node would continue a stream that was reset meanwhile as well, which throws, and that nobody catches.
    if (!request.stream.closed) response.writeContinue();
    onRequest(request, response);
  });
  return {
    speak: (socket, version) => {
      (version === "HTTP/2" ? http2 : http1).emit("connection", socket);
    },
    stop: () => http1.close(),
  };
}

const http1Options = {
  headersTimeout: HEADERS_MS,
  // What comes after the headers has its own time: see `RequestBodies`.
  requestTimeout: 0,
  connectionsCheckingInterval: HEADERS_LOOK_MS,
};

const http2Options = {
  settings: { maxConcurrentStreams: MAX_STREAMS_PER_CONNECTION },
  // Node counts every reset of a connection, by default 33 a second, and cuts the connection with INTERNAL_ERROR: one that
  // many share has as many readers who leave. `ResetLimits` counts what costs; this is above what can be answered at all.
  streamResetBurst: 200_000,
  streamResetRate: 20_000,
  maxSessionInvalidFrames: 100,
  // Node refuses streams while it still holds as many that were reset, and past 100 of those cuts the connection likewise.
  maxSessionRejectedStreams: 200_000,
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
