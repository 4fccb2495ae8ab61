import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type OutgoingHttpHeaders,
} from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { Http2SessionManager } from "@connectrpc/connect-node";
import { connectionClosed } from "./connection-closed.ts";
import { serverAddress } from "./server-address.ts";

// The server is never silent for longer than 15 s; a peer that is gone without a word is found by pings.
const PING_INTERVAL_MS = 20_000;
/** How long a connection may take: the name, TCP and TLS. */
const CONNECT_MS = 7000;
/** So long after a request that nothing answers the connection is asked for a sign of life, and has as long again for it. */
const PROBE_MS = 3500;

/**
 * What a server may have on its way to a client: more than a round trip of 100 ms brings of a turn that is read as fast as
 * it can be. HTTP/2's own 64 KiB make 650 KB a second of that.
 */
export const WINDOW_BYTES = 8 * 1024 * 1024;
/** Of HTTP/2 (RFC 9113, 6.9.2): no connection begins with less. */
const LEAST_WINDOW_BYTES = 65_535;
/** Of HTTP/2 (RFC 9113, 6.9.1). */
const MOST_WINDOW_BYTES = 2 ** 31 - 1;

/**
 * A connection over HTTP/2 whose silence is found while an answer is waited for: one that is not made within 7 s, or that
 * answers neither a request nor a ping within 7 s, ends with every call on it. A server that takes its time for an answer,
 * and answers pings, is waited for. One for `sessionManager` of connect-node's transports; Node's own events do the rest.
 *
 * Opened by the first request, and again by the first after it broke, until it is closed.
 */
export class ProbedConnection {
  readonly #sessions: Http2SessionManager;
  readonly #windowBytes: number;
  #isClosed = false;

  /**
   * @param url - http for cleartext, https for TLS; `unix:/PATH` for a socket in the file system.
   * @param windowBytes - The flow-control windows, of each stream and of the connection. As much memory can each stream
   * cost whose reader takes nothing.
   * @throws RangeError for windows that HTTP/2 does not have; TypeError for a `unix:` URL without an absolute path.
   */
  constructor(url: string, windowBytes: number = WINDOW_BYTES) {
    if (!(windowBytes >= LEAST_WINDOW_BYTES && windowBytes <= MOST_WINDOW_BYTES)) {
      const range = `from ${LEAST_WINDOW_BYTES} to ${MOST_WINDOW_BYTES}`;
      throw new RangeError(`windowBytes must be ${range}, and not ${windowBytes}`);
    }
    this.#windowBytes = Math.floor(windowBytes);
    const pings = { pingIntervalMs: PING_INTERVAL_MS };
    const settings = { enablePush: false, initialWindowSize: this.#windowBytes };
    const { origin, ...made } = serverAddress(url);
    this.#sessions = new Http2SessionManager(origin, pings, { settings, ...made });
  }

  /** The origin of the server. */
  get authority(): string {
    return this.#sessions.authority;
  }

  /** @throws ConnectError where there is no connection within 7 s, and where it was closed. */
  async request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: object,
  ): Promise<ClientHttp2Stream> {
    if (this.#isClosed) throw connectionClosed();
    const tls = this.authority.startsWith("https:") ? "TLS " : "";
    const message = `there was no ${tls}connection within ${CONNECT_MS / 1000} s`;
    const late = () => this.#sessions.abort(new ConnectError(message, Code.Unavailable));
    const timer = setTimeout(late, CONNECT_MS);
    try {
      const stream = await this.#sessions.request(method, path, headers, options);
      const session = stream.session as ClientHttp2Session | undefined;
      if (session !== undefined) {
        openWindow(session, this.#windowBytes);
        probe(session, stream);
      }
      return stream;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Tells that a byte of an answer was read: a connection that brings bytes needs no ping. */
  notifyResponseByteRead(stream: ClientHttp2Stream): void {
    this.#sessions.notifyResponseByteRead(stream);
  }

  /** Gives up the connection that is open, and every call on it. Idempotent. */
  drop(): void {
    this.#sessions.abort();
  }

  /** Ends the connection for good, and every call on it. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#sessions.abort(connectionClosed());
  }
}

/** The setting is of streams alone, and Node opens the connection's window no earlier than it is connected. */
function openWindow(session: ClientHttp2Session, bytes: number): void {
  if (session.state.effectiveLocalWindowSize !== bytes) session.setLocalWindowSize(bytes);
}

/** Ends the connection where a request gets no answer and a ping none either. */
function probe(session: ClientHttp2Session, stream: ClientHttp2Stream): void {
  let timer = setTimeout(ping, PROBE_MS).unref();
  const settle = () => clearTimeout(timer);
  stream.once("response", settle).once("close", settle);

  function ping(): void {
    if (session.destroyed) return;
    timer = setTimeout(end, PROBE_MS).unref();
    session.ping((error) => {
      if (error === null) settle();
    });
  }

  function end(): void {
    const message = `the connection is open, but neither the request nor a ping was answered within ${(2 * PROBE_MS) / 1000} s`;
    session.destroy(new ConnectError(message, Code.Unavailable), constants.NGHTTP2_CANCEL);
  }
}
