import type { connectNodeAdapter } from "@connectrpc/connect-node";

/** Answers HTTP requests of either version. */
export type RequestListener = ReturnType<typeof connectNodeAdapter>;

/** A request of HTTP/1.1 or HTTP/2. */
export type HttpRequest = Parameters<RequestListener>[0];

/** A response of HTTP/1.1 or HTTP/2. */
export type HttpResponse = Parameters<RequestListener>[1];
