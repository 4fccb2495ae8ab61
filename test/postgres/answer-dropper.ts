import { connect, createServer, type Socket } from "node:net";

/** What stands between a client and PostgreSQL, and can lose what is answered. */
export interface AnswerDropper extends AsyncDisposable {
  readonly port: number;
  /** Requests are passed on, and from the next that has a text on no answer is. Empty: from now on. */
  dropAnswersTo(text: string): void;
  /** Ends all connections; those that come then are answered. */
  cut(): void;
}

export async function startAnswerDropper(port: number): Promise<AnswerDropper> {
  const sockets = new Set<Socket>();
  let drops = false;
  let dropped: string | undefined;
  const server = createServer((client) => {
    const database = connect(port, "127.0.0.1");
    for (const socket of [client, database]) {
      sockets.add(socket);
      socket
        .on("error", () => {})
        .on("close", () => {
          sockets.delete(socket);
          client.destroy();
          database.destroy();
        });
    }
    client.on("data", (bytes) => {
      if (dropped !== undefined && bytes.includes(dropped)) drops = true;
      database.write(bytes);
    });
    database.on("data", (bytes) => {
      if (!drops) client.write(bytes);
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const cut = () => {
    dropped = undefined;
    drops = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as { port: number }).port,
    dropAnswersTo(text) {
      dropped = text;
    },
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
