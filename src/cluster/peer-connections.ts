import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import { Heartbeats } from "../edge/heartbeats.ts";
import type { Log } from "../log.ts";
import { PacedWarning } from "../paced-warning.ts";
import type { Credentials } from "./credentials.ts";
import { connectToPeer } from "./peer-connection.ts";
import { PEER_PING_MS } from "./peer-session.ts";

/** After a failure it is not tried again for so long: each request would wait for it. */
const PAUSE_MS = 500;
/** Connections that are forgotten when as many replicas have come and gone. */
const MOST_KEPT = 1000;

interface PeerConnection {
  /** Undefined: it is being made, or is gone. */
  session: ClientHttp2Session | undefined;
  connecting: Promise<ClientHttp2Session> | undefined;
  failedAt: number;
}

/**
 * The connections to other replicas, one to each: made when it is needed first, and again when it is gone.
 *
 * 1. A connection is kept for as long as anything is heard on it. A replica that says nothing is asked, and its streams are
 *    over within a few seconds where it does not answer.
 * 2. Whoever cannot be reached is not tried for a moment: requests do not wait for it one after the other.
 */
export class PeerConnections {
  readonly #credentials: () => Credentials;
  readonly #peers = new Map<string, PeerConnection>();
  readonly #heartbeats = new Heartbeats(PEER_PING_MS); // 1.
  readonly #log: Log;
  readonly #unreached: PacedWarning;
  #isClosed = false;

  constructor(credentials: () => Credentials, log: Log) {
    this.#credentials = credentials;
    this.#log = log;
    this.#unreached = new PacedWarning(log, "other replicas could not be reached", "failed");
  }

  /**
   * Begins a request.
   *
   * @throws Error where the replica cannot be reached.
   */
  async request(address: string, headers: OutgoingHttpHeaders): Promise<ClientHttp2Stream> {
    const session = this.#open(address) ?? (await this.#connect(address));
    const stream = session.request(headers, { endStream: false });
    this.#heartbeats.count(session, 1);
    stream.once("close", () => this.#heartbeats.count(session, -1));
    return stream;
  }

  /** Ends them all. */
  close(): void {
    this.#isClosed = true;
    this.#heartbeats.stop();
    this.#unreached.stop();
    for (const { session } of this.#peers.values()) session?.destroy();
    this.#peers.clear();
  }

  #open(address: string): ClientHttp2Session | undefined {
    const session = this.#peers.get(address)?.session;
    return session === undefined || session.closed || session.destroyed ? undefined : session;
  }

  #connect(address: string): Promise<ClientHttp2Session> {
    const peer = this.#peerAt(address);
    const sinceFailure = performance.now() - peer.failedAt;
    if (this.#isClosed || sinceFailure < PAUSE_MS) {
      return Promise.reject(new Error("it could not be reached a moment ago")); // 2.
    }
    peer.connecting ??= connectToPeer(address, this.#credentials(), this.#heartbeats)
      .then((session) => {
        if (this.#isClosed) session.destroy();
        peer.session = session;
        this.#log.info("another replica was reached", { address });
        return session;
      })
      .catch((error: unknown) => {
        peer.failedAt = performance.now();
        this.#unreached.count(`${address}: ${(error as Error).message}`);
        throw error;
      })
      .finally(() => {
        peer.connecting = undefined;
      });
    return peer.connecting;
  }

  #peerAt(address: string): PeerConnection {
    const known = this.#peers.get(address);
    if (known !== undefined) return known;
    if (this.#peers.size >= MOST_KEPT) this.#forgetGone();
    const peer = { session: undefined, connecting: undefined, failedAt: Number.NEGATIVE_INFINITY };
    this.#peers.set(address, peer);
    return peer;
  }

  #forgetGone(): void {
    for (const [address, { connecting }] of this.#peers) {
      if (connecting === undefined && this.#open(address) === undefined) {
        this.#peers.delete(address);
      }
    }
  }
}
