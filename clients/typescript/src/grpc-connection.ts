import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { answerLimits } from "./answer-limits.ts";
import { setClosing } from "./connection-closed.ts";
import { ProbedConnection } from "./probed-connection.ts";

/** No message of a server's has more than 3 MiB. */
const READ_MAX_BYTES = 4 * 1024 * 1024;

/** One connection to a server, gRPC over HTTP/2. Node only. Owned by whoever opened it, who closes it. */
export interface GrpcConnection {
  /** What a client is created over. */
  readonly transport: Transport;
  /** Gives up the connection that is open, and every call on it; the next call opens another. */
  drop(): void;
  /**
   * Ends the connection for good, every call on it, and every wait for the next one: they fail with a ConnectError whose `cause` is a
   * {@link ConnectionClosedError}, and so does each later one. No turn ends by that. Idempotent.
   */
  close(): void;
}

/** How a connection behaves. */
export interface GrpcConnectionOptions {
  /** Told of a call that may go on waiting, and has been answered nothing for 8 s. */
  readonly onSilence?: (method: string) => void;
  /**
   * HTTP/2's flow-control windows, of each stream and of the connection, in bytes; 8 MiB unless told. The server sends no
   * more than that in one round trip. It is also the memory that each stream can cost whose reader takes nothing.
   */
  readonly windowBytes?: number;
}

/**
 * Prepares a connection; it is opened by the first call, and again by the first after it broke. A server that is silent
 * fails a call within 8 s: see {@link ProbedConnection} and {@link answerLimits}.
 *
 * @param url - http for cleartext, https for TLS.
 * @param token - Sent as the bearer token of every call. Undefined: none is sent.
 * @throws RangeError for windows that HTTP/2 does not have.
 */
export function openGrpcConnection(
  url: string,
  token: string | undefined,
  { onSilence = () => {}, windowBytes }: GrpcConnectionOptions = {},
): GrpcConnection {
  const sessionManager = new ProbedConnection(url, windowBytes);
  const interceptors: Interceptor[] = [answerLimits(onSilence)];
  if (token !== undefined) interceptors.push(bearer(token));
  const transport = createGrpcTransport({
    baseUrl: url,
    sessionManager,
    readMaxBytes: READ_MAX_BYTES,
    // Kept, millions of them would fit a message, and hold the event loop for seconds.
    binaryOptions: { readUnknownFields: false },
    interceptors,
  });
  const closing = new AbortController();
  setClosing(transport, closing.signal);
  return {
    transport,
    drop: () => sessionManager.drop(),
    close() {
      sessionManager.close();
      closing.abort();
    },
  };
}

function bearer(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}
