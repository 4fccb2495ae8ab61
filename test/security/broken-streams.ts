import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { gzipSync } from "node:zlib";

/** A server that breaks the protocol below its messages. */
export interface BrokenServer extends AsyncDisposable {
  readonly url: string;
}

const MIB = 1024 * 1024;
/** 1 GB: gzip files one after the other are one, and each is a thousandth of what it holds. */
const BOMB = Buffer.concat(Array(64).fill(gzipSync(Buffer.alloc(16 * MIB))));

/** What it answers every request with. */
export const BREAKAGES = {
  "a message that says it has 4 GB": () =>
    grpcServer({}, (stream) => {
      stream.write(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]));
      pour(stream);
    }),
  "a message of 1 GB in 1 MB": () =>
    grpcServer({ "grpc-encoding": "gzip" }, (stream) => {
      const head = Buffer.alloc(5);
      head[0] = 1;
      head.writeUInt32BE(BOMB.length, 1);
      stream.end(Buffer.concat([head, BOMB]));
    }),
  "headers without end": () =>
    createServer((socket) => {
      socket.write(frame(4, 0, 0, Buffer.alloc(0)));
      socket.once("data", () => {
        socket.resume();
        socket.write(frame(1, 0, 1, Buffer.from([0x88])));
        const field = Buffer.concat([
          Buffer.from([0, 7]),
          Buffer.from("x-field"),
          Buffer.from([1, 0x78]),
        ]);
        const continuation = frame(
          9,
          0,
          1,
          Buffer.concat(Array.from({ length: 1000 }, () => field)),
        );
        const more = () => {
          while (!socket.destroyed && socket.write(continuation));
        };
        socket.on("drain", more);
        more();
      });
    }),
} as const satisfies Record<string, () => unknown>;

/** Starts one on loopback. */
export async function startBrokenServer(breakage: keyof typeof BREAKAGES): Promise<BrokenServer> {
  const sockets = new Set<Socket>();
  const server: Server = BREAKAGES[breakage]();
  server.on("connection", (socket: Socket) => sockets.add(socket.on("error", () => {})));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function grpcServer(
  headers: Readonly<Record<string, string>>,
  answer: (stream: ServerHttp2Stream) => void,
): Server {
  return createHttp2Server()
    .on("sessionError", () => {})
    .on("stream", (stream: ServerHttp2Stream) => {
      stream.on("error", () => {});
      stream.respond({ ":status": 200, "content-type": "application/grpc+proto", ...headers });
      answer(stream);
    });
}

/** Sends for as long as anybody takes it. */
function pour(stream: ServerHttp2Stream): void {
  const piece = Buffer.alloc(MIB);
  const more = () => {
    while (!stream.destroyed && stream.write(piece));
  };
  stream.on("drain", more);
  more();
}

function frame(type: number, flags: number, streamId: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}
