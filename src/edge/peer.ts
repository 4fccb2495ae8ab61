import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { peerOf } from "./connection.ts";
import type { HttpRequest } from "./http.ts";

/** Who is at the other end of a connection, as the connection itself tells. */
export interface Peer {
  /** The address, without its port; `unix` for a socket of this machine; empty where it is not known. */
  readonly address: string;
  /** The address, or the /64 network of one of IPv6. */
  readonly network: string;
  /** Whether it came by a socket of this machine that has a path, and no address. */
  readonly isUnix: boolean;
  /** What it proved by in the handshake of TLS, signed by one of those that the server trusts. */
  readonly certificate: X509Certificate | undefined;
}

const NOBODY: Peer = { address: "", network: "", isUnix: false, certificate: undefined };

/**
 * Under it a socket has who is at its other end. A property, because HTTP/2 shows another object in the place of its socket,
 * which hands on what is asked of it.
 */
const PEER = Symbol("peer");

/**
 * Notes who is at the other end of a connection that was just accepted. To be told later from what the socket says would be
 * too late: one that is closed has no address, as one without any.
 *
 * @param isUnix - Whether the server that accepted it listens on a path.
 */
export function notePeer(socket: Socket, isUnix: boolean): void {
  const address = isUnix ? "unix" : (socket.remoteAddress ?? "");
  set(socket, { address, network: peerOf(address), isUnix, certificate: undefined });
}

/**
 * Notes who is at the other end of what is encrypted, behind the handshake.
 *
 * @param accepted - The connection below it; undefined: nobody knows any more.
 * @returns False: it showed a certificate that is not trusted.
 */
export function noteSecurePeer(socket: TLSSocket, accepted: Socket | undefined): boolean {
  const shown = socket.getPeerX509Certificate();
  // A session of TLS 1.3 that is gone on with counts as authorized, also without a certificate.
  if (shown !== undefined && !socket.authorized) return false;
  set(socket, { ...(accepted === undefined ? NOBODY : get(accepted)), certificate: shown });
  return true;
}

/** Who makes a request, as far as its connection tells. */
export function peerOfRequest(request: HttpRequest): Peer {
  return get(request.socket);
}

function set(socket: Socket, peer: Peer): void {
  Object.assign(socket, { [PEER]: peer });
}

/** One that is not noted, or whose connection is gone, is nobody: no trust comes of not knowing. */
function get(socket: Socket): Peer {
  return (socket as { [PEER]?: Peer })[PEER] ?? NOBODY;
}
