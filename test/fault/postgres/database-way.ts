import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** The way from a server to its database, which can be taken from it. */
export interface DatabaseWay extends AsyncDisposable {
  readonly port: number;
  /** Resets all connections: what was sent by the server before is done, and nobody hears of it. */
  cut(): void;
  /** From now on connections are reset as they come. */
  refuse(): void;
  /** From now on nothing passes, and nobody is told. */
  silence(): void;
  /** From now on all passes again, also what waits. */
  open(): void;
}

export async function startDatabaseWay(port: number): Promise<DatabaseWay> {
  const sockets = new Set<Socket>();
  let state: "open" | "refused" | "silent" = "open";
  const keep = (socket: Socket, other: Socket) => {
    sockets.add(socket);
    if (state === "silent") socket.pause();
    socket
      .on("error", () => {})
      .on("data", (bytes) => void other.write(bytes))
      .on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
  };
  const server = createServer((client) => {
    if (state === "refused") return void client.resetAndDestroy();
    const database = connect(port, "127.0.0.1");
    keep(client, database);
    keep(database, client);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as { port: number }).port,
    cut,
    refuse() {
      state = "refused";
      cut();
    },
    silence() {
      state = "silent";
      for (const socket of sockets) socket.pause();
    },
    open() {
      state = "open";
      for (const socket of sockets) socket.resume();
    },
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
