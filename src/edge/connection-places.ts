import type { Connection } from "./connection.ts";

/** Why a connection is closed before its peer closes it. */
export type ClosingReason =
  | "no admitted request in time"
  | "a client certificate that is not trusted"
  | "too many without an admitted request"
  | "too many of one peer"
  | "too many";

/** The part of all places that strangers may hold together: a newcomer who is none is not to be kept out by them. */
const STRANGERS = 1 / 4;
/** The part that one peer may hold. All that comes through a proxy, or over loopback, is of one peer: much. */
const ONE_PEER = 1 / 2;

/**
 * Who may hold one of a bounded number of places for connections.
 *
 * 1. Strangers hold at most a quarter of the places; the one that came first makes room for a newcomer.
 * 2. One peer holds at most half of them; its own strangers make room, and where there are none it gets no more.
 * 3. Where all are taken a stranger makes room, and where there are none the newcomer is closed.
 */
export class ConnectionPlaces {
  readonly #most: number;
  readonly #close: (connection: Connection, why: ClosingReason) => void;
  readonly #taken = new Set<Connection>();
  /** In the order in which they came. */
  readonly #strangers = new Set<Connection>();
  readonly #ofPeer = new Map<string, number>();

  /**
   * @param most - How many there are.
   * @param close - Closes a connection that has no place, or whose place was given away.
   */
  constructor(most: number, close: (connection: Connection, why: ClosingReason) => void) {
    this.#most = most;
    this.#close = close;
  }

  /** Those without an admitted request, the first that came first. */
  get strangers(): Iterable<Connection> {
    return this.#strangers;
  }

  /** Gives a new connection a place. False: it was closed for want of one. */
  take(connection: Connection): boolean {
    const why = this.#makeRoom(connection);
    if (why !== undefined) {
      this.#close(connection, why);
      return false;
    }
    this.#taken.add(connection);
    this.#strangers.add(connection);
    this.#ofPeer.set(connection.peer, this.#heldBy(connection.peer) + 1);
    return true;
  }

  /** A request on it was admitted: it is no stranger any more. */
  admit(connection: Connection): void {
    connection.isStrange = false;
    this.#strangers.delete(connection);
  }

  /** Frees its place. Idempotent. */
  free(connection: Connection): void {
    if (!this.#taken.delete(connection)) return;
    this.#strangers.delete(connection);
    const held = this.#heldBy(connection.peer) - 1;
    if (held > 0) this.#ofPeer.set(connection.peer, held);
    else this.#ofPeer.delete(connection.peer);
  }

  /** Why there is none; undefined: there is, or was made one. */
  #makeRoom({ peer }: Connection): ClosingReason | undefined {
    const isOfPeer = (other: Connection) => other.peer === peer;
    if (this.#heldBy(peer) >= part(this.#most, ONE_PEER)) {
      if (!this.#giveAway("too many of one peer", isOfPeer)) return "too many of one peer";
    }
    if (this.#strangers.size >= part(this.#most, STRANGERS)) {
      this.#giveAway("too many without an admitted request");
    }
    if (this.#taken.size >= this.#most && !this.#giveAway("too many")) return "too many";
    return undefined;
  }

  /** Gives away the place of the stranger that came first. False: there is none. */
  #giveAway(why: ClosingReason, isMeant: (connection: Connection) => boolean = () => true) {
    const first = this.#strangers.values().find(isMeant);
    if (first === undefined) return false;
    this.free(first);
    this.#close(first, why);
    return true;
  }

  #heldBy(peer: string): number {
    return this.#ofPeer.get(peer) ?? 0;
  }
}

function part(most: number, share: number): number {
  return Math.max(1, Math.floor(most * share));
}
