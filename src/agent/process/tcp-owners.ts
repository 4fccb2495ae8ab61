import { readFileSync } from "node:fs";
import { throwExhaustion } from "../../exhaustion.ts";
import { hex, kernelAddress } from "../../stream/kernel-address.ts";

/** A connection over TCP by its ends, as the server sees them. */
export interface TcpEnds {
  readonly address: string;
  readonly port: number;
  readonly serverAddress: string;
  readonly serverPort: number;
}

/** A socket of this machine's, as the kernel's tables have it. */
export interface SocketOwner {
  /** The user who made it. */
  readonly uid: number;
  /** What names it among the descriptors of processes; 0: no process has it any more. */
  readonly inode: number;
}

const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"];
/** Fields of a row (proc_net(5)) behind its own address: the other's, the state, the user, the inode. */
const [REMOTE, STATE, UID, INODE] = [2, 3, 7, 9];
const LISTENING = "0A";
/** IPv4 in a socket of IPv6, in words of this machine's order of bytes. */
const MAPPED = kernelAddress("::ffff:0.0.0.0").slice(0, 24);

/**
 * Whose the clients' sockets of connections are, by one reading of the tables for all of them.
 *
 * A connection that was redirected on its way has another address of the server's in its client's row: every socket with the
 * client's end may be the one then.
 *
 * @returns in the order of the connections; none: the client is not on this machine, or is gone.
 * @throws Error where there is no descriptor left to read with.
 */
export function readTcpOwners(connections: readonly TcpEnds[]): (readonly SocketOwner[])[] {
  const rows = new Map<string, { remote: string; owner: SocketOwner }[]>();
  for (const { address, port } of connections) rows.set(endText(address, port), []);
  if (rows.size > 0) for (const table of TABLES) readRows(table, rows);
  return connections.map(({ address, port, serverAddress, serverPort }) => {
    const found = rows.get(endText(address, port)) ?? [];
    const server = endText(serverAddress, serverPort);
    const exact = found.filter(({ remote }) => remote === server);
    return (exact.length > 0 ? exact : found).map(({ owner }) => owner);
  });
}

function readRows(table: string, rows: Map<string, { remote: string; owner: SocketOwner }[]>) {
  for (const row of readTable(table).split("\n")) {
    // There may be ten thousands of them, and few are asked for.
    const start = row.indexOf(": ") + 2;
    const wanted = rows.get(unmapped(row.slice(start, row.indexOf(" ", start))));
    if (wanted === undefined) continue;
    const fields = row.trim().split(/\s+/, INODE + 1);
    if (fields[STATE] === LISTENING) continue;
    const owner = { uid: Number(fields[UID]), inode: Number(fields[INODE]) };
    wanted.push({ remote: unmapped(fields[REMOTE] ?? ""), owner });
  }
}

/** Empty where there is no such table: IPv6 may be off. */
function readTable(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    throwExhaustion(error);
    return "";
  }
}

function endText(address: string, port: number): string {
  return unmapped(`${kernelAddress(address)}:${hex(port, 4)}`);
}

function unmapped(end: string): string {
  return end.startsWith(MAPPED) ? end.slice(MAPPED.length) : end;
}
