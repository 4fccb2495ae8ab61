import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP proxy in front of a server, on real sockets, that is as far from its clients as a test likes. */
export interface DelayingProxy extends AsyncDisposable {
  /** The server's URL through it. */
  readonly url: string;
}

/** What is on its way in one direction of a connection at most; far above what the windows of any client let through. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Starts one on loopback, in front of a server there.
 *
 * Every byte takes half of the round trip, in either direction, and so do the ends of connections; how many a second is not
 * limited. What is on its way is kept in memory, up to 64 MiB: beyond that the sender is not read from, as on a link that
 * is full. A connection itself is there at once, and not after a round trip.
 *
 * @param url - The server's; where it is of https, what is passed on is TLS.
 */
export async function startDelayingProxy(url: string, roundTripMs: number): Promise<DelayingProxy> {
  const { port, protocol } = new URL(url);
  const target = { port: Number(port), host: "127.0.0.1", allowHalfOpen: true, noDelay: true };
  const sockets = new Set<Socket>();
  const proxy = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const server = connect(target);
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => {}).once("close", () => sockets.delete(socket));
    }
    passDelayed(client, server, roundTripMs / 2);
    passDelayed(server, client, roundTripMs / 2);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    url: `${protocol}//127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(proxy, "close");
      proxy.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Passes on what one socket says to another, each byte so much later. */
function passDelayed(from: Socket, to: Socket, delayMs: number): void {
  /** In the order in which they are due, by `performance.now`. */
  const underway: { readonly dueAt: number; pass(): void }[] = [];
  let timer: NodeJS.Timeout | undefined;
  let held = 0;

  const arm = () => {
    const [next] = underway;
    if (next === undefined || to.destroyed) return;
    timer ??= setTimeout(passDue, Math.max(0, next.dueAt - performance.now()));
  };
  const passDue = () => {
    timer = undefined;
    const now = performance.now();
    const later = underway.findIndex(({ dueAt }) => dueAt > now);
    to.cork();
    for (const { pass } of underway.splice(0, later === -1 ? underway.length : later)) pass();
    to.uncork();
    arm();
  };
  const delay = (pass: () => void) => {
    underway.push({ dueAt: performance.now() + delayMs, pass });
    arm();
  };
  const passed = (bytes: number) => {
    held -= bytes;
    if (held < MOST_BYTES / 2) from.resume();
  };
  from.on("data", (bytes: Buffer) => {
    held += bytes.length;
    if (held >= MOST_BYTES) from.pause();
    delay(() => to.write(bytes, () => passed(bytes.length)));
  });
  from.once("end", () => delay(() => to.end()));
  from.once("close", (isBroken) => delay(() => (isBroken ? to.resetAndDestroy() : to.end())));
  to.once("close", () => clearTimeout(timer));
}
