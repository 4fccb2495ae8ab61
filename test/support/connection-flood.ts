import { connect, type Socket } from "node:net";

/** Before a connection that was closed is made again: quick enough to take what becomes free, slow enough to be no load. */
const AGAIN_MS = 500;

/** Connections that say nothing: as many as the server keeps, and more that it closes, each of which comes again. */
export class ConnectionFlood implements Disposable {
  readonly #url: URL;
  readonly #open = new Set<Socket>();
  #isOver = false;

  private constructor(url: string) {
    this.#url = new URL(url);
  }

  /** Begins one of so many connections. Resolves when each was made, or refused, once. */
  static async begin(url: string, count: number): Promise<ConnectionFlood> {
    const flood = new ConnectionFlood(url);
    await Promise.all(Array.from({ length: count }, () => flood.#connect()));
    return flood;
  }

  /** How many are open now; those that were made and are closed in this moment are among them. */
  get open(): number {
    return this.#open.size;
  }

  /** Ends it. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const socket of this.#open) socket.destroy();
  }

  async #connect(): Promise<void> {
    if (this.#isOver) return;
    const socket = connect(Number(this.#url.port), this.#url.hostname);
    socket.on("error", () => {}); // `close` follows.
    socket.once("close", () => {
      this.#open.delete(socket);
      setTimeout(() => void this.#connect(), AGAIN_MS).unref();
    });
    await new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
    if (!socket.destroyed) this.#open.add(socket);
  }
}
