import { connect, createServer, type Socket } from "node:net";

/** What stands between a client and PostgreSQL, and can lose what is answered. */
export interface AnswerDropper extends AsyncDisposable {
  readonly port: number;
  /** From now on requests are passed on, and no answer is. */
  dropAnswers(): void;
  /** Ends all connections; those that come then are answered. */
  cut(): void;
}

export async function startAnswerDropper(port: number): Promise<AnswerDropper> {
  const sockets = new Set<Socket>();
  let drops = false;
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
    client.on("data", (bytes) => database.write(bytes));
    database.on("data", (bytes) => {
      if (!drops) client.write(bytes);
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const cut = () => {
    drops = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as { port: number }).port,
    dropAnswers() {
      drops = true;
    },
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
