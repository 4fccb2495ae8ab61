import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { hex, kernelAddress } from "../stream/kernel-address.ts";

/** What the kernel still has to get to a peer. */
export interface TcpQueue {
  /** Bytes that the peer has not acknowledged. */
  readonly unacknowledged: number;
  /** How often in a row the same bytes were sent again without an answer. */
  readonly retransmits: number;
}

const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"];
/** sl, local and remote address and port, state, tx_queue:rx_queue, timer, retransmits. */
const ROW =
  /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]+:[0-9A-F]{4}) \w\w ([0-9A-F]{8}):\w{8} (\w\w):\w{8} ([0-9A-F]{8})/;
/** The timer that runs while bytes are unacknowledged, and not because the peer's window is closed. */
const RETRANSMITTING = "01";

/**
 * Looks the queues of sockets up in the kernel's tables: Node tells what it gave to the kernel, and never how much of
 * that arrived. Sockets that are not found, as everywhere but on Linux, are not in the answer.
 */
export async function readTcpQueues(sockets: Iterable<Socket>): Promise<Map<Socket, TcpQueue>> {
  const wanted = new Map<string, Socket>();
  for (const socket of sockets) {
    const { localPort, remoteAddress, remotePort } = socket;
    if (localPort === undefined || remoteAddress === undefined || remotePort === undefined)
      continue;
    const remote = `${kernelAddress(remoteAddress)}:${hex(remotePort, 4)}`;
    wanted.set(`${hex(localPort, 4)} ${remote}`, socket);
  }
  const found = new Map<Socket, TcpQueue>();
  if (wanted.size === 0) return found;
  for (const table of TABLES) {
    const text = await readFile(table, "latin1").catch(() => "");
    for (const row of text.split("\n")) {
      const [, localPort, remote, queue = "", timer, retransmits = ""] = ROW.exec(row) ?? [];
      const socket = wanted.get(`${localPort} ${remote}`);
      if (socket === undefined) continue;
      found.set(socket, {
        unacknowledged: Number.parseInt(queue, 16),
        retransmits: timer === RETRANSMITTING ? Number.parseInt(retransmits, 16) : 0,
      });
    }
  }
  return found;
}
