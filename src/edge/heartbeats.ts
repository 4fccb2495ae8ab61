import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";
import { readTcpQueues } from "./tcp-queues.ts";

/** A connection of HTTP/2 without a request is closed after so long. */
const UNUSED_MS = 10 * 60_000;
/** How many looks there are within the time that a peer may be silent. */
const LOOKS = 4;

/** What is known of a peer of HTTP/2. Times are of `performance.now`. */
interface Peer {
  bytesRead: number;
  heardAt: number;
  /** Undefined: nothing is asked of it. */
  askedAt: number | undefined;
  /** Requests under way. */
  requests: number;
  usedAt: number;
}

/**
 * Finds peers that are gone without a word, with their streams.
 *
 * A peer of HTTP/2 that said nothing for `pingMs` is asked for a sign of life, and destroyed where none comes within as
 * long again; whoever sends anything is not asked. HTTP/1.1 has no such question, so the kernel is asked whether it
 * sends the same bytes again and again without an answer; where nothing is on its way TCP's own keep-alive asks.
 */
export class Heartbeats {
  readonly #pingMs: number;
  readonly #peers = new Map<Http2Session, Peer>();
  /**
   * Connections of HTTP/1.1 with a request under way, how often the same bytes were sent again when they were looked at
   * last, and since when that has only grown: a turn that goes on adds bytes, and any acknowledgement makes it 0.
   */
  readonly #sockets = new Map<Socket, { retransmits: number; since: number } | undefined>();
  readonly #timer: NodeJS.Timeout;
  #lookedAt = performance.now();
  #looking = false;

  constructor(pingMs: number) {
    this.#pingMs = pingMs;
    this.#timer = setInterval(() => this.#look(), pingMs / LOOKS).unref();
  }

  /** Asks no more. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** A connection was accepted. */
  addSocket(socket: Socket): void {
    socket.setKeepAlive(true, this.#pingMs);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  /** An HTTP/2 connection is set up. */
  addSession(session: Http2Session): void {
    const now = performance.now();
    this.#peers.set(session, {
      bytesRead: 0,
      heardAt: now,
      askedAt: undefined,
      requests: 0,
      usedAt: now,
    });
    session.once("close", () => this.#peers.delete(session));
  }

  /** A connection of HTTP/1.1 has a request under way, or none. */
  setBusy(socket: Socket, isBusy: boolean): void {
    if (!isBusy) this.#sockets.delete(socket);
    else if (!socket.destroyed) this.#sockets.set(socket, undefined);
  }

  /** A connection of HTTP/2 has a request more or less under way. */
  count(session: Http2Session | undefined, change: 1 | -1): void {
    const peer = session && this.#peers.get(session);
    if (peer === undefined) return;
    peer.requests += change;
    peer.usedAt = performance.now();
  }

  #look(): void {
    const now = performance.now();
    // After a pause of this process (a suspended machine) answers lie unread: they count as if asked for now.
    const wasPaused = now - this.#lookedAt > this.#pingMs;
    this.#lookedAt = now;
    for (const [session, peer] of this.#peers) {
      if (session.destroyed) continue;
      if (wasPaused && peer.askedAt !== undefined) peer.askedAt = now;
      this.#lookAtPeer(session, peer, now);
    }
    void this.#lookAtSockets(wasPaused);
  }

  #lookAtPeer(session: Http2Session, peer: Peer, now: number): void {
    const { bytesRead } = session.socket;
    if (bytesRead !== peer.bytesRead) {
      peer.bytesRead = bytesRead;
      peer.heardAt = now;
      peer.askedAt = undefined;
    }
    if (peer.askedAt !== undefined) {
      if (now - peer.askedAt >= this.#pingMs) session.destroy();
    } else if (now - peer.heardAt >= this.#pingMs) {
      peer.askedAt = now;
      session.ping(() => {}); // Its answer is heard as any other byte.
    }
    if (peer.requests === 0 && now - peer.usedAt >= UNUSED_MS) session.close();
  }

  async #lookAtSockets(wasPaused: boolean): Promise<void> {
    if (this.#looking || this.#sockets.size === 0) return;
    this.#looking = true;
    const queues = await readTcpQueues(this.#sockets.keys());
    this.#looking = false;
    const now = performance.now();
    for (const [socket, last] of this.#sockets) {
      const { unacknowledged = 0, retransmits = 0 } = queues.get(socket) ?? {};
      if (unacknowledged === 0 || retransmits === 0) this.#sockets.set(socket, undefined);
      else if (wasPaused || last === undefined || retransmits < last.retransmits)
        this.#sockets.set(socket, { retransmits, since: now });
      else if (now - last.since >= this.#pingMs) socket.destroy();
      else this.#sockets.set(socket, { retransmits, since: last.since });
    }
  }
}
