import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

const READ_MAX_BYTES = 4 * 1024 * 1024;
// The server is never silent for longer than 15 s; a peer that is gone without a word is found by pings.
const PING_INTERVAL_MS = 20_000;

/** One connection to a server, gRPC over HTTP/2. Node only. Owned by whoever opened it, who closes it. */
export interface GrpcConnection {
  /** What a client is created over. */
  readonly transport: Transport;
  /** Gives up the connection that is open, and every call on it; the next call opens another. */
  drop(): void;
  /** Ends the connection and every call on it. Idempotent. */
  close(): void;
}

/**
 * Prepares a connection; it is opened by the first call, and again by the first after it broke.
 *
 * @param url - http for cleartext, https for TLS.
 * @param token - Sent as the bearer token of every call. Undefined: none is sent.
 */
export function openGrpcConnection(url: string, token: string | undefined): GrpcConnection {
  const sessionManager = new Http2SessionManager(url, { pingIntervalMs: PING_INTERVAL_MS });
  const transport = createGrpcTransport({
    baseUrl: url,
    sessionManager,
    readMaxBytes: READ_MAX_BYTES,
    interceptors:
      token === undefined
        ? []
        : [
            (next) => (request) => {
              request.header.set("authorization", `Bearer ${token}`);
              return next(request);
            },
          ],
  });
  const drop = () => sessionManager.abort();
  return { transport, drop, close: drop };
}
