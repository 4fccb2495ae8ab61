import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { type Span, spansOfJson, spansOfProtobuf } from "./otlp-spans.ts";

/** How a collector answers. */
export type Answering = (response: ServerResponse) => void;

/** An OpenTelemetry collector: what it was sent, and how it answers. */
export interface Collector extends AsyncDisposable {
  readonly url: string;
  readonly spans: readonly Span[];
  /** The headers of each request. */
  readonly requests: readonly Readonly<Record<string, unknown>>[];
  answering: Answering;
  /** The bodies, as they came. */
  readonly bodies: readonly Buffer[];
}

const TAKE: Answering = (response) => void response.end("{}");

/** Starts one on loopback. */
export async function startCollector(answering = TAKE, port = 0): Promise<Collector> {
  const spans: Span[] = [];
  const requests: Readonly<Record<string, unknown>>[] = [];
  const bodies: Buffer[] = [];
  const server = createServer((request, response) => {
    response.on("error", () => {});
    void buffer(request).then(
      (body) => {
        requests.push({ url: request.url, ...request.headers });
        bodies.push(body);
        const isJson = request.headers["content-type"] === "application/json";
        spans.push(...(isJson ? spansOfJson(body) : spansOfProtobuf(body)));
        collector.answering(response);
      },
      () => {},
    );
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const collector: Collector = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    requests,
    bodies,
    answering,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return collector;
}
