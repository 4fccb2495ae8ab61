import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { connect as connectTls } from "node:tls";
import { http1Bytes, http2Bytes } from "./raw-requests.ts";

/** What a client of some protocol says first, whole: a request that is answered, or what none is. */
export interface Opening {
  readonly name: string;
  readonly bytes: Buffer;
  /** Whether the server in clear text answers it with what was asked for. */
  readonly isRequest: boolean;
}

/** The first bytes of every protocol that a port may be spoken to in. */
export async function openingsFor(url: string): Promise<Opening[]> {
  const request = {
    host: new URL(url).host,
    method: "ListSessions",
    contentType: "application/json",
    body: [Buffer.from("{}")],
  };
  const other = (name: string, bytes: Buffer) => ({ name, bytes, isRequest: false });
  return [
    { name: "HTTP/1.1", bytes: http1Bytes(request), isRequest: true },
    { name: "HTTP/2", bytes: http2Bytes(request), isRequest: true },
    other("a ClientHello", await clientHello()),
    other("almost HTTP/2", Buffer.from("PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n")),
    other("almost a preface", Buffer.from("PRO /x HTTP/1.1\r\n\r\n")),
    other("garbage", Buffer.from([0, 255, 80, 82, 73, 32, 10, 13, 128, 7])),
  ];
}

/** What a client of TLS sends first, recorded from a real one. */
async function clientHello(): Promise<Buffer> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connectTls({ port, host: "127.0.0.1", ALPNProtocols: ["h2"] });
  client.on("error", () => {});
  const [socket] = await once(server, "connection");
  const [hello] = await once(socket, "data");
  client.destroy();
  socket.destroy();
  server.close();
  return hello as Buffer;
}
