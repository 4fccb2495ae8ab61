import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";

/** How many 16-bit groups of an IPv6 address name the network that one peer is given. */
const NETWORK_GROUPS = 4;
const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * A connection that was accepted, whatever is spoken on it.
 *
 * It is a stranger's until a request on it was admitted; it stays its peer's until it is closed.
 */
export class Connection {
  /** Who it is of: an address, or the /64 network of one of IPv6, of which a peer has as many as it likes. */
  readonly peer: string;
  /** A time of `performance.now`. */
  readonly acceptedAt = performance.now();
  /** Whether no request on it was admitted yet. */
  isStrange = true;
  /** Whether it is ended for that, behind the answers that are under way. */
  isDismissed = false;
  /** How many requests are under way or wait for their turn. */
  requests = 0;
  /** What HTTP is spoken on: the accepted socket, or TLS over it. */
  socket: Socket;
  /** Undefined: it is not HTTP/2, or not yet. */
  session: ServerHttp2Session | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    this.peer = peerOf(addressOf(socket));
  }

  /** Whether nobody waits for an answer on it, also not for its peer to have read the last one (`closeBehind`). */
  get isIdle(): boolean {
    return this.requests === 0 && !this.socket.writableEnded;
  }

  /** Ends it now, whatever is under way. */
  destroy(): void {
    this.socket.destroy();
  }
}

/** What a connection over a socket in the file system comes from: its peer has no address. */
export const UNIX_PEER = "unix";
const numberKey = Symbol("number of a connection without an address");
let lastNumber = 0;

/** The address of a connection's peer, {@link UNIX_PEER} where it has none. Empty: the connection is gone. */
export function addressOf(socket: Socket): string {
  return isUnix(socket) ? UNIX_PEER : (socket.remoteAddress ?? "");
}

/** Says, before anything is spoken on it, that a connection came over a socket in the file system. */
export function markUnix(socket: Socket): void {
  (socket as NumberedSocket)[numberKey] = ++lastNumber;
}

/** Whether a connection came over a socket in the file system. */
export function isUnix(socket: Socket): boolean {
  return (socket as NumberedSocket)[numberKey] !== undefined;
}

/** The ends of a connection, by which TLS and HTTP/2 over a socket are told to be its own. */
export function endsOf(socket: Socket): string {
  const number = (socket as NumberedSocket)[numberKey];
  if (number !== undefined) return `${UNIX_PEER} ${number}`;
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress}`;
}

/** HTTP/2 shows the socket below it, with what was added to that. */
interface NumberedSocket extends Socket {
  [numberKey]?: number;
}

/** Who is at an address, as far as places are shared out. */
export function peerOf(address: string): string {
  const ipv4 = MAPPED_IPV4.exec(address)?.[1];
  if (ipv4 !== undefined) return ipv4;
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("%", 1)[0]!.split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = new Array<string>(Math.max(0, 8 - first.length - last.length)).fill("0");
  const groups = tail === undefined ? first : [...first, ...zeros, ...last];
  return `${groups.slice(0, NETWORK_GROUPS).join(":")}::/64`;
}
