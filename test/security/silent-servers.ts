import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** A server that takes connections and answers nothing that was asked for. */
export interface SilentServer extends AsyncDisposable {
  readonly host: string;
  /** When the first connection was made, on the clock of `performance`. */
  readonly connectedAt: Promise<number>;
  /** The bodies of the requests so far, where HTTP/2 is spoken. */
  readonly bodies: readonly Buffer[];
}

/** How far a silent server goes before it says nothing more. */
export const SILENCES = {
  "accepts and says nothing": () => createServer((socket) => void socket.resume()),
  "resets the connection at its first bytes": () =>
    createServer((socket) => void socket.once("data", () => socket.resetAndDestroy())),
  "sends its SETTINGS and nothing more": () =>
    createServer((socket) => {
      socket.resume();
      socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    }),
  "answers pings and no request": (bodies: Buffer[]) => http2Server(bodies, () => {}),
  "answers with headers and no message": (bodies: Buffer[]) =>
    http2Server(bodies, (stream) =>
      stream.respond({ ":status": 200, "content-type": "application/grpc+proto" }),
    ),
  "is a proxy that answers HTML": () =>
    createHttpServer((_request, response) => void response.end("<html>Bad gateway</html>")),
} as const satisfies Record<string, (bodies: Buffer[]) => unknown>;

/** Starts one on loopback. */
export async function startSilentServer(silence: keyof typeof SILENCES): Promise<SilentServer> {
  const sockets = new Set<Socket>();
  const bodies: Buffer[] = [];
  const server: Server = SILENCES[silence](bodies);
  const connectedAt = new Promise<number>((resolve) => {
    server.on("connection", (socket: Socket) => {
      sockets.add(socket.on("error", () => {}));
      resolve(performance.now());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connectedAt,
    bodies,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function http2Server(bodies: Buffer[], answer: (stream: ServerHttp2Stream) => void): Server {
  return createHttp2Server()
    .on("sessionError", () => {})
    .on("stream", (stream: ServerHttp2Stream) => {
      stream.on("error", () => {});
      let body = Buffer.alloc(0);
      stream.on("data", (piece: Buffer) => {
        body = Buffer.concat([body, piece]);
      });
      stream.on("end", () => bodies.push(body));
      answer(stream);
    });
}
