import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** How a connection ends: as a peer that closes, or as one that crashed or a router that dropped it. */
export type Ending = "FIN" | "RST";

/** When and how a connection is cut by itself. */
export interface Cut {
  /** After how many bytes from the server; the one that makes it so many is passed on. */
  readonly afterBytes: number;
  readonly ending: Ending;
}

/** A TCP proxy in front of a server, on real sockets, whose connections a test breaks as networks do. */
export interface CuttingProxy extends AsyncDisposable {
  readonly url: string;
  /** Its name in `BREAKGLASS_ALLOWED_HOSTS`: a server behind it must know it. */
  readonly host: string;
  /** How many connections were made so far. */
  readonly connections: number;
  /** How many are open now. */
  readonly open: number;
  /** Ends every connection that is open. */
  cut(ending: Ending): void;
  /** While true nothing is passed on in either direction, and nothing is closed; what comes is passed on later. */
  hold(isHeld: boolean): void;
  /** Passes nothing on any more over the connections that are open now, which stay open; new ones work. */
  blacken(): void;
  /** While true new connections are ended as soon as they are made. */
  refuse(isRefused: boolean): void;
  /** Where new connections go from now on; before that, none is accepted. A server that came back has another port. */
  forwardTo(url: string): void;
}

/**
 * Starts one on loopback, before the server that it stands in front of, which must know its name.
 *
 * @param cutOf - How the connection with that number, from 0, is cut; undefined: not by itself.
 */
export async function startCuttingProxy(
  cutOf: (connection: number) => Cut | undefined = () => undefined,
): Promise<CuttingProxy> {
  const pairs = new Set<Pair>();
  let port: number | undefined;
  let connections = 0;
  let isHeld = false;
  let isRefused = false;
  const server = createServer({ allowHalfOpen: false, noDelay: true }, (client) => {
    client.on("error", () => {});
    const cut = cutOf(connections++);
    if (isRefused || port === undefined) {
      client.resetAndDestroy();
      return;
    }
    const pair = new Pair(client, port, cut, () => pairs.delete(pair));
    pairs.add(pair);
    if (isHeld) pair.hold(true);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `http://${host}`,
    host,
    get connections() {
      return connections;
    },
    get open() {
      return pairs.size;
    },
    cut(ending) {
      for (const pair of [...pairs]) pair.end(ending);
    },
    hold(held) {
      isHeld = held;
      for (const pair of pairs) pair.hold(held);
    },
    blacken() {
      for (const pair of pairs) pair.blacken();
    },
    refuse(refused) {
      isRefused = refused;
    },
    forwardTo(url) {
      port = Number(new URL(url).port);
    },
    async [Symbol.asyncDispose]() {
      for (const pair of [...pairs]) pair.end("RST");
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A client's connection and the one to the server that belongs to it. */
class Pair {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #cut: Cut | undefined;
  #bytes = 0;
  #isBlack = false;

  constructor(client: Socket, port: number, cut: Cut | undefined, closed: () => void) {
    this.#client = client;
    this.#server = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#cut = cut;
    client.on("data", (bytes: Buffer) => this.#pass(bytes, this.#server, client));
    this.#server.on("data", (bytes: Buffer) => this.#passCut(bytes));
    this.#server.on("error", () => {});
    // Either side's end is the other's; a black connection keeps it to itself.
    this.#server.on("close", () => {
      if (!this.#isBlack) this.end("FIN");
    });
    client.on("close", () => {
      this.#server.destroy();
      closed();
    });
    if (cut?.afterBytes === 0) this.#server.once("connect", () => this.end(cut.ending));
  }

  end(ending: Ending): void {
    if (ending === "RST") {
      this.#client.resetAndDestroy();
      this.#server.resetAndDestroy();
      return;
    }
    this.#client.end(() => this.#client.destroy());
    this.#server.end(() => this.#server.destroy());
  }

  hold(isHeld: boolean): void {
    for (const socket of [this.#client, this.#server]) {
      if (isHeld) socket.pause();
      else socket.resume();
    }
  }

  blacken(): void {
    this.#isBlack = true;
  }

  #passCut(bytes: Buffer): void {
    const { afterBytes, ending } = this.#cut ?? { afterBytes: Number.POSITIVE_INFINITY };
    const left = afterBytes - this.#bytes;
    this.#bytes += bytes.length;
    if (left <= 0) return;
    this.#pass(bytes.subarray(0, left), this.#client, this.#server);
    if (bytes.length >= left && ending !== undefined) this.end(ending);
  }

  /** Keeps the pace of the slower side. */
  #pass(bytes: Buffer, to: Socket, from: Socket): void {
    if (this.#isBlack || to.destroyed || to.writableEnded || to.write(bytes)) return;
    from.pause();
    to.once("drain", () => from.resume());
  }
}
