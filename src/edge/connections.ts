import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Heartbeats } from "./heartbeats.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";

/**
 * The connections of a listener, so that it can close without cutting a request that is under way.
 *
 * Node does half of it: an HTTP/2 session closes behind its last stream, but a connection of HTTP/1.1 that is kept alive
 * holds its server open, also where it becomes idle only after the server was told to close.
 */
export class Connections {
  /** How many requests of HTTP/1.1 each connection has under way. */
  readonly #sockets = new Map<Socket, number>();
  readonly #multiplexed = new WeakSet<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #heartbeats: Heartbeats;
  #closing = false;

  /** @param heartbeats - Is told of every connection and whether it is in use. */
  constructor(heartbeats: Heartbeats) {
    this.#heartbeats = heartbeats;
  }

  /** A connection was accepted. */
  add(socket: Socket): void {
    this.#sockets.set(socket, 0);
    this.#heartbeats.addSocket(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  /** A connection turned out to be HTTP/2. */
  addMultiplexed(socket: Socket): void {
    this.#multiplexed.add(socket);
  }

  /** An HTTP/2 connection is set up. */
  addSession(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    this.#heartbeats.addSession(session);
    session.once("close", () => this.#sessions.delete(session));
    session.on("error", () => {}); // Its streams hear of it.
    if (this.#closing) session.close();
  }

  /** A request came. */
  addRequest(request: HttpRequest, response: HttpResponse): void {
    if ("stream" in request) {
      const { session } = request.stream;
      this.#heartbeats.count(session, 1);
      response.once("close", () => this.#heartbeats.count(session, -1));
      return;
    }
    const { socket } = request;
    this.#count(socket, 1);
    response.once("close", () => {
      this.#count(socket, -1);
      if (this.#closing) this.#endIdle(socket);
    });
  }

  /** Says goodbye to every client: connections close as soon as they have no request under way. */
  close(): void {
    this.#closing = true;
    for (const session of this.#sessions) session.close();
    for (const socket of this.#sockets.keys()) this.#endIdle(socket);
  }

  /** Ends every connection now. */
  destroy(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #count(socket: Socket, change: number): void {
    const requests = this.#sockets.get(socket);
    if (requests === undefined) return;
    this.#sockets.set(socket, requests + change);
    this.#heartbeats.setBusy(socket, requests + change > 0);
  }

  #endIdle(socket: Socket): void {
    if (!this.#multiplexed.has(socket) && this.#sockets.get(socket) === 0) socket.destroySoon();
  }
}
