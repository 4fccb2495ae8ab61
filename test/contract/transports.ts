import type { Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";

/** Every protocol over every version of HTTP that carries it, in both formats: name and how to open it. */
export const TRANSPORTS: readonly [string, (url: string, headers?: HeadersInit) => Transport][] = [
  ["gRPC, HTTP/2", (baseUrl, h) => createGrpcTransport({ baseUrl, ...sending(h) })],
  [
    "gRPC, HTTP/2, JSON",
    (baseUrl, h) => createGrpcTransport({ baseUrl, useBinaryFormat: false, ...sending(h) }),
  ],
  ...(["1.1", "2"] as const).flatMap((httpVersion) =>
    [true, false].flatMap(
      (useBinaryFormat): [string, (url: string, headers?: HeadersInit) => Transport][] => {
        const format = useBinaryFormat ? "binary" : "JSON";
        return [
          [
            `gRPC-Web, HTTP/${httpVersion}, ${format}`,
            (baseUrl, h) =>
              createGrpcWebTransport({ baseUrl, httpVersion, useBinaryFormat, ...sending(h) }),
          ],
          [
            `Connect, HTTP/${httpVersion}, ${format}`,
            (baseUrl, h) =>
              createConnectTransport({ baseUrl, httpVersion, useBinaryFormat, ...sending(h) }),
          ],
        ];
      },
    ),
  ),
];

function sending(headers: HeadersInit = {}) {
  const set = (next: (request: never) => Promise<never>) => (request: { header: Headers }) => {
    for (const [name, value] of new Headers(headers)) request.header.set(name, value);
    return next(request as never);
  };
  return { interceptors: [set as never] };
}
