import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";

/** A request of HTTP/1.1 or HTTP/2. */
export type HttpRequest = IncomingMessage | Http2ServerRequest;

/** A response of HTTP/1.1 or HTTP/2: what both can do, in the words of both. */
export type HttpResponse = (ServerResponse | Http2ServerResponse) & {
  write(chunk: Uint8Array, written?: (error?: Error | null) => void): boolean;
  writeHead(status: number, headers?: Record<string, string>): HttpResponse;
};

/**
 * Answers HTTP requests of either version.
 *
 * @param admitted - To be called once it is known that the request may be made: its connection is no stranger's then.
 */
export type RequestListener = (
  request: HttpRequest,
  response: HttpResponse,
  admitted: () => void,
) => void;
