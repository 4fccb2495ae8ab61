import { existsSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { isUnix } from "../edge/connection.ts";
import type { HttpRequest } from "../edge/http.ts";
import { readPeerCredentials } from "../edge/peer-credentials.ts";
import type { ClientEnd, FoundPeer, PeerLook, PeerProcess } from "../identity/peer-process.ts";
import { byDeadline } from "../stream/deadline.ts";

/** A look takes milliseconds; a machine on which nothing runs any more is to have an answer all the same. */
const LOOK_MS = 10_000;
const MAPPED_IPV4 = /^::ffff:(?=\d+\.)/i;
const LOOPBACK = /^(127\.|::1$)/;

const FAR: PeerProcess = { kind: "far" };
const UNTOLD: PeerProcess = {
  kind: "unknown",
  why: "this system does not tell whose a connection is",
  when: "always",
};

/** What whoever calls is told by. */
export interface PeerOptions {
  readonly look: PeerLook;
  /** The user whose every process is an agent's. Undefined: none is. */
  readonly agentUid?: number | undefined;
}

/**
 * Tells who calls, a connection at a time.
 *
 * 1. It is established once, for a connection's first request, which waits for it; what cannot be told then is asked for again
 *    by the next.
 * 2. Whoever cannot be told in time is unknown.
 * 3. Somebody is far whose address this machine has not at that moment, and whose end of the connection is no socket of its:
 *    who may give it addresses may take them away, too, as soon as the connection is made.
 */
export class Peers {
  readonly #options: PeerOptions;
  readonly #told = new WeakMap<object, PeerProcess>();
  readonly #looks = new WeakMap<object, Promise<PeerProcess>>();
  readonly #addresses = new OwnAddresses();

  constructor(options: PeerOptions) {
    this.#options = options;
  }

  /** Who makes a request. Undefined: it is yet to be established, by `establish`. */
  of(request: HttpRequest): PeerProcess | undefined {
    return this.#told.get(channelOf(request));
  }

  /** Establishes who makes a request, and resolves with it. Never rejects. */
  async establish(request: HttpRequest): Promise<PeerProcess> {
    const channel = channelOf(request);
    const look = this.#looks.get(channel) ?? this.#find(request);
    this.#looks.set(channel, look);
    const peer = await look;
    this.#looks.delete(channel);
    // 1.
    if (peer.kind !== "unknown" || peer.when === "always") this.#told.set(channel, peer);
    return peer;
  }

  async #find({ socket }: HttpRequest): Promise<PeerProcess> {
    const end = endOf(socket);
    if (end === undefined) return gone("the connection is gone");
    if (end === "untold") return UNTOLD;
    const isFar = "address" in end && !this.#addresses.has(end.address);
    if (!existsSync("/proc/net/tcp")) return isFar ? FAR : UNTOLD;
    const late: FoundPeer = { holder: "unseen", failure: "it took too long to tell" };
    const {
      holder,
      uid,
      processId,
      failure = "",
    } = await byDeadline(this.#options.look(end), LOOK_MS, late); // 2.
    const isAgents = this.#isAgents(uid) || ("uid" in end && this.#isAgents(end.uid));
    if (holder === "agent" || isAgents) return { kind: "agent", processId };
    if (isFar && (holder === "absent" || holder === "unseen")) return FAR; // 3.
    if (holder === "unseen") return gone(failure);
    if (uid === undefined) return gone("whoever made it cannot be found");
    return isFar ? FAR : { kind: "process", uid };
  }

  #isAgents(uid: number | undefined): boolean {
    return uid !== undefined && uid === this.#options.agentUid;
  }
}

/** Tells nobody apart: everyone is as good as the server's own user. */
export const EVERYONE: Pick<Peers, "of" | "establish"> = {
  of: () => ({ kind: "process", uid: process.geteuid?.() ?? 0 }),
  establish: () => Promise.reject(new Error("there is nobody to be told apart")),
};

/** The addresses of this machine, of which all that connect are looked for. */
class OwnAddresses {
  #known = new Set<string>();

  has(address: string): boolean {
    const plain = address.replace(MAPPED_IPV4, "").replace(/%.*$/, "");
    if (LOOPBACK.test(plain)) return true;
    // One that is gone again may be the agent's who has it; one that it has taken this moment is not known yet.
    if (this.#known.has(plain)) return true;
    const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    this.#known = new Set(all.map((entry) => entry.address));
    return this.#known.has(plain);
  }
}

/** Undefined: the connection is gone. */
function endOf(socket: HttpRequest["socket"]): ClientEnd | "untold" | undefined {
  if (isUnix(socket)) {
    if (socket.destroyed) return undefined;
    return readPeerCredentials(socket) ?? "untold";
  }
  const { remoteAddress: address, remotePort: port } = socket;
  const { localAddress: serverAddress, localPort: serverPort } = socket;
  if (address === undefined || port === undefined) return undefined;
  if (serverAddress === undefined || serverPort === undefined) return undefined;
  return { address, port, serverAddress, serverPort };
}

function gone(why: string): PeerProcess {
  return { kind: "unknown", why, when: "passing" };
}

/** What all requests of a connection have in common. */
function channelOf(request: HttpRequest): object {
  return "stream" in request ? (request.stream.session ?? request.stream) : request.socket;
}
