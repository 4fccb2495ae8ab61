import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Stands before servers that are each as good as the others, on loopback. */
export interface Balancer extends AsyncDisposable {
  readonly url: string;
  /** The index of the server that took the newest connection. Undefined: none did. */
  readonly newest: number | undefined;
}

/**
 * Starts one: each connection goes to the next server, round and round. One that takes no connection is passed over; where none does the
 * client's is reset. What comes is passed on as it comes, at the pace of the slower side.
 *
 * @param ports - Where the servers listen on 127.0.0.1.
 */
export async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  const open = new Set<Socket>();
  let next = 0;
  let newest: number | undefined;
  const how = { noDelay: true, pauseOnConnect: true, allowHalfOpen: true };
  const server = createServer(how, async (client) => {
    open.add(client);
    client.on("error", () => {});
    client.once("close", () => open.delete(client));
    const first = next++;
    for (let tried = 0; tried < ports.length; tried++) {
      const index = (first + tried) % ports.length;
      const upstream = await connected(ports[index]!);
      if (upstream === undefined) continue;
      newest = index;
      join(client, upstream);
      return;
    }
    client.resetAndDestroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get newest() {
      return newest;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A connection; undefined: nobody takes it. */
async function connected(port: number): Promise<Socket | undefined> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  try {
    await once(socket, "connect");
    return socket;
  } catch {
    return undefined;
  }
}

/** Either side's end is the other's. */
function join(client: Socket, upstream: Socket): void {
  upstream.on("error", () => {});
  upstream.once("close", () => client.destroy());
  client.once("close", () => upstream.destroy());
  if (client.destroyed) upstream.destroy();
  client.pipe(upstream);
  upstream.pipe(client);
}
