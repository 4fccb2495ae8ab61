import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { createBreakglassClient } from "#client";
import type { BackOff } from "../../clients/typescript/src/outage.ts";
import { type Cut, type CuttingProxy, startCuttingProxy } from "../support/cutting-proxy.ts";
import { PROTOCOLS, type Protocol } from "../support/protocols.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

/** What browsers speak with, over Node's fetch: its errors are others than those of node:http. */
const FETCH_PROTOCOLS: readonly Protocol[] = [
  { name: "gRPC-Web, fetch", create: createGrpcWebTransport },
  { name: "Connect, fetch", create: createConnectTransport },
].map(({ name, create }) => ({
  name,
  connect: (baseUrl) => ({
    client: createBreakglassClient(create({ baseUrl })),
    [Symbol.dispose]() {},
  }),
}));

/** Every way to reach the server that a client of ours has. */
export const WAYS: readonly Protocol[] = [...PROTOCOLS, ...FETCH_PROTOCOLS];

/** Comes back at once: a test waits for nothing that it is not about. */
export const AT_ONCE: Partial<BackOff> = { firstMs: 1, longestMs: 20 };

/** The real server behind a proxy. */
export interface CutServer extends AsyncDisposable {
  readonly server: TestServer;
  readonly proxy: CuttingProxy;
}

/** Starts both. */
export async function startCutServer(
  cutOf?: (connection: number) => Cut | undefined,
): Promise<CutServer> {
  await using cleanup = new AsyncDisposableStack();
  const proxy = cleanup.use(await startCuttingProxy(cutOf));
  const server = cleanup.use(await startTestServer({ BREAKGLASS_ALLOWED_HOSTS: proxy.host }));
  proxy.forwardTo(server.url);
  const owned = cleanup.move();
  return { server, proxy, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
