import { Agent } from "node:http";
import { Agent as TlsAgent } from "node:https";
import type { LookupFunction } from "node:net";
import type { Interceptor, Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { type BreakglassClient, createBreakglassClient } from "#client";

/** A client and the connections that it holds. */
export interface TestClient extends Disposable {
  readonly client: BreakglassClient;
}

/** One way to speak to the server. */
export interface Protocol {
  readonly name: string;
  connect(url: string, headers?: Readonly<Record<string, string>>, network?: Network): TestClient;
}

/** How servers are found and known, where that is not the machine's own way. */
export interface Network {
  readonly ca?: Buffer;
  readonly lookup?: LookupFunction;
}

type Common = { baseUrl: string; interceptors: Interceptor[]; readMaxBytes: number };

const READ_MAX_BYTES = 4 * 1024 * 1024; // grpc-js's default: nothing may be larger.

const http2 =
  (create: (options: Common & { sessionManager: Http2SessionManager }) => Transport) =>
  (baseUrl: string, common: Common, network: Network) => {
    const sessionManager = new Http2SessionManager(baseUrl, {}, network);
    return {
      transport: create({ ...common, sessionManager }),
      close: () => sessionManager.abort(),
    };
  };

const http1 =
  (create: (options: Common & { nodeOptions: { agent: Agent | TlsAgent } }) => Transport) =>
  (baseUrl: string, common: Common, network: Network) => {
    const isTls = baseUrl.startsWith("https:");
    const agent = new (isTls ? TlsAgent : Agent)({ keepAlive: true, ...network });
    const transport = create({ ...common, baseUrl, nodeOptions: { agent } });
    return { transport, close: () => agent.destroy() };
  };

const WAYS = {
  "gRPC, HTTP/2": http2((options) => createGrpcTransport(options)),
  "gRPC in JSON, HTTP/2": http2((options) =>
    createGrpcTransport({ ...options, useBinaryFormat: false }),
  ),
  "gRPC-Web, HTTP/1.1": http1((options) =>
    createGrpcWebTransport({ ...options, httpVersion: "1.1" }),
  ),
  "gRPC-Web, HTTP/2": http2((options) => createGrpcWebTransport({ ...options, httpVersion: "2" })),
  "Connect, HTTP/1.1": http1((options) =>
    createConnectTransport({ ...options, httpVersion: "1.1", useBinaryFormat: true }),
  ),
  "Connect, HTTP/2": http2((options) =>
    createConnectTransport({ ...options, httpVersion: "2", useBinaryFormat: true }),
  ),
  "Connect in JSON, HTTP/1.1": http1((options) =>
    createConnectTransport({ ...options, httpVersion: "1.1", useBinaryFormat: false }),
  ),
  "Connect in JSON, HTTP/2": http2((options) =>
    createConnectTransport({ ...options, httpVersion: "2", useBinaryFormat: false }),
  ),
};

/** Every protocol in every HTTP version that it exists in. */
export const PROTOCOLS: readonly Protocol[] = Object.entries(WAYS).map(([name, open]) => ({
  name,
  connect(url, headers = {}, network = {}) {
    const interceptors = [withHeaders(headers)];
    const common = { baseUrl: url, interceptors, readMaxBytes: READ_MAX_BYTES };
    const { transport, close } = open(url, common, network);
    return { client: createBreakglassClient(transport), [Symbol.dispose]: close };
  },
}));

/** A client for tests that are not about the protocol. */
export function connect(url: string, headers?: Readonly<Record<string, string>>): TestClient {
  return PROTOCOLS[0]!.connect(url, headers);
}

function withHeaders(headers: Readonly<Record<string, string>>): Interceptor {
  return (next) => (request) => {
    for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
    return next(request);
  };
}
