import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttp1Server, type IncomingMessage } from "node:http";
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2ServerRequest,
} from "node:http2";
import { connect, createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { notePeer, peerOfRequest } from "../../src/edge/peer.ts";

let folder: string;
const servers: Server[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-peer-"));
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await rm(folder, { recursive: true });
});

/** Listens, and hands on what comes once its peer is noted, as the listener does. */
async function listen(at: ListenOptions, speak: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    notePeer(socket, typeof server.address() === "string");
    speak(socket);
  });
  servers.push(server);
  server.listen(at);
  await once(server, "listening");
  return server;
}

describe("who is at the other end", () => {
  it("came by a socket of this machine where the server listens on one", async () => {
    const http = createHttp1Server();
    const path = join(folder, "socket");
    await listen({ path }, (socket) => http.emit("connection", socket));
    const client = connect(path);
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const [request] = (await once(http, "request")) as [IncomingMessage];
    expect(peerOfRequest(request)).toMatchObject({ address: "unix", isUnix: true });
    client.destroy();
  });

  it("did not where its connection is gone, which has no address any more either: HTTP/1.1", async () => {
    const http = createHttp1Server();
    const server = await listen({ port: 0, host: "127.0.0.1" }, (socket) =>
      http.emit("connection", socket),
    );
    const client = connect((server.address() as { port: number }).port, "127.0.0.1");
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const [request] = (await once(http, "request")) as [IncomingMessage];
    const closed = new Promise((resolve) => request.socket.once("close", resolve));
    client.resetAndDestroy();
    await closed;
    expect(peerOfRequest(request)).toMatchObject({ address: "127.0.0.1", isUnix: false });
  });

  it("did not where its connection is gone: HTTP/2", async () => {
    const http = createHttp2Server();
    http.on("session", (session) => session.on("error", () => {}));
    const server = await listen({ port: 0, host: "127.0.0.1" }, (socket) =>
      http.emit("connection", socket),
    );
    const client = connectHttp2(`http://127.0.0.1:${(server.address() as { port: number }).port}`);
    client.on("error", () => {});
    client.request({ ":path": "/" }).on("error", () => {});
    const [request] = (await once(http, "request")) as [Http2ServerRequest];
    expect(peerOfRequest(request)).toMatchObject({ address: "127.0.0.1", isUnix: false });
    const closed = new Promise((resolve) => request.stream.once("close", resolve));
    client.destroy();
    await closed;
    expect(peerOfRequest(request)).toMatchObject({ isUnix: false, certificate: undefined });
  });

  it("is nobody where nobody noted it", () => {
    const request = { socket: {} } as IncomingMessage;
    expect(peerOfRequest(request)).toMatchObject({ address: "", isUnix: false });
  });
});
