import type { Http2Session, ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Log } from "../log.ts";
import { PacedWarning } from "../paced-warning.ts";
import { Connection, endsOf } from "./connection.ts";
import { type ClosingReason, ConnectionPlaces } from "./connection-places.ts";
import type { Heartbeats } from "./heartbeats.ts";
import type { HttpRequest, HttpResponse } from "./http.ts";
import { noteSecurePeer } from "./peer.ts";
import { openWindows } from "./windows.ts";

/** A connection has so long to get a request admitted: its TLS and its headers are in it. */
const STRANGER_MS = 10_000;
/** A stranger whose answer is still on its way then is given so long for it: reading it, or being waited for after it. */
const STRANGER_ANSWER_MS = 45_000;
/** How often the strangers are looked at. */
const LOOK_MS = 1000;

/**
 * The connections of a listener: who may have one, and how they end without cutting a request that is under way.
 *
 * Node does half of that: an HTTP/2 session closes behind its last stream, but a connection of HTTP/1.1 that is kept alive
 * holds its server open, also where it becomes idle only after the server was told to close.
 */
export class Connections {
  readonly #open = new Map<string, Connection>();
  readonly #bySocket = new WeakMap<Socket, Connection>();
  readonly #bySession = new WeakMap<Http2Session, Connection>();
  readonly #places: ConnectionPlaces;
  readonly #closed: PacedWarning;
  readonly #heartbeats: Heartbeats;
  readonly #timer: NodeJS.Timeout;
  #closing = false;

  /** @param heartbeats - Is told of every connection and whether it is in use. */
  constructor(most: number, heartbeats: Heartbeats, log: Log) {
    this.#heartbeats = heartbeats;
    this.#closed = new PacedWarning(log, "connections were closed", "closed");
    this.#places = new ConnectionPlaces(most, (connection, why) => this.#end(connection, why));
    this.#timer = setInterval(() => this.#endStrangers(), LOOK_MS).unref();
  }

  /** A connection came. False: there is no place for it, and it was closed. */
  accept(socket: Socket): boolean {
    const connection = new Connection(socket);
    if (!this.#places.take(connection)) return false;
    const ends = endsOf(socket);
    this.#open.set(ends, connection);
    this.#bySocket.set(socket, connection);
    this.#heartbeats.addSocket(socket);
    socket.once("close", () => {
      this.#places.free(connection);
      if (this.#open.get(ends) === connection) this.#open.delete(ends);
    });
    return true;
  }

  /** A connection is encrypted from now on. False: it was closed meanwhile, or shows a certificate that is not trusted. */
  secure(socket: TLSSocket): boolean {
    const connection = this.#open.get(endsOf(socket));
    if (connection === undefined) {
      socket.destroy();
      return false;
    }
    if (!noteSecurePeer(socket, connection.socket)) {
      this.#end(connection, "a client certificate that is not trusted");
      return false;
    }
    connection.socket = socket;
    this.#bySocket.set(socket, connection);
    this.#heartbeats.addSocket(socket);
    return true;
  }

  /** A connection turned out to be HTTP/2, and is set up. */
  addSession(session: ServerHttp2Session): void {
    const connection = this.#open.get(endsOf(session.socket));
    session.on("error", () => {}); // Its streams hear of it.
    if (connection === undefined) {
      session.destroy();
      return;
    }
    connection.session = session;
    this.#bySession.set(session, connection);
    this.#heartbeats.addSession(session);
    if (this.#closing) session.close();
  }

  /** The connection that a request came on; undefined where that is closed. */
  of(request: HttpRequest): Connection | undefined {
    if (!("stream" in request)) return this.#bySocket.get(request.socket);
    const { session } = request.stream;
    return session && this.#bySession.get(session);
  }

  /** A request came. */
  addRequest(connection: Connection, response: HttpResponse): void {
    this.#count(connection, 1);
    response.once("close", () => {
      this.#count(connection, -1);
      if (this.#closing) endIdle(connection);
    });
  }

  /** A request was admitted: its connection is no stranger's, and brings bodies as fast as it can. */
  admit(connection: Connection): void {
    if (!connection.isStrange) return;
    this.#places.admit(connection);
    if (connection.session !== undefined) openWindows(connection.session);
  }

  /** Says goodbye to every client: connections close as soon as they have no request under way. */
  close(): void {
    this.#closing = true;
    for (const connection of this.#open.values()) {
      connection.session?.close();
      endIdle(connection);
    }
  }

  /** Ends every connection now. */
  destroy(): void {
    for (const connection of this.#open.values()) connection.destroy();
  }

  /** Looks after them no more: there are none left. */
  stop(): void {
    clearInterval(this.#timer);
    this.#closed.stop();
  }

  #count(connection: Connection, change: 1 | -1): void {
    const { session, socket } = connection;
    connection.requests += change;
    if (session === undefined) this.#heartbeats.setBusy(socket, connection.requests > 0);
    else this.#heartbeats.count(session, change);
  }

  #endStrangers(): void {
    const now = performance.now();
    for (const connection of this.#places.strangers) {
      const age = now - connection.acceptedAt;
      if (age < STRANGER_MS) return;
      const isOver = connection.isIdle || age >= STRANGER_ANSWER_MS;
      // Over HTTP/2 it is told so, and given until the next look to take it.
      if (!connection.isDismissed) this.#dismiss(connection);
      else if (isOver) connection.destroy();
    }
  }

  #dismiss(connection: Connection): void {
    connection.isDismissed = true;
    this.#closed.count("no admitted request in time");
    // Behind its streams, which are of requests that were refused.
    connection.session?.close();
    endIdle(connection);
  }

  #end(connection: Connection, why: ClosingReason): void {
    this.#closed.count(why);
    connection.destroy();
  }
}

/** A session of HTTP/2 ends by itself behind its last stream. */
function endIdle(connection: Connection): void {
  if (connection.session === undefined && connection.isIdle) connection.socket.destroySoon();
}
