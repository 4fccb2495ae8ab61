import { once } from "node:events";
import {
  createServer as createHttp1,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import {
  createServer as createHttp2,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { readHttpVersion } from "../edge/first-bytes.ts";

/** A request of either version. */
export type AnyRequest = IncomingMessage | Http2ServerRequest;
/** A response of either version. */
export type AnyResponse = ServerResponse | Http2ServerResponse;
/** A listener of either version's requests, as connect-node makes one. */
export type AnyListener = RequestListener &
  ((request: Http2ServerRequest, response: Http2ServerResponse) => void);

/** A server on loopback that speaks HTTP/1.1 and HTTP/2 in clear text on one port. */
export interface HttpServer extends AsyncDisposable {
  readonly url: string;
}

/** Starts one. Disposing of it ends its connections. */
export async function startHttpServer(listener: AnyListener): Promise<HttpServer> {
  const sockets = new Set<Socket>();
  const http1 = createHttp1(listener);
  const http2 = createHttp2(listener as Parameters<typeof createHttp2>[0]);
  http2.on("sessionError", () => {});
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    void readHttpVersion(socket).then((version) => {
      if (version === "HTTP/2") http2.emit("connection", socket);
      else if (version === "HTTP/1.1") http1.emit("connection", socket);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
