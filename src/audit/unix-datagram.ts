import { readFileSync, realpathSync } from "node:fs";
import { endianness } from "node:os";
import { cFunctions } from "../stream/c-functions.ts";

/** Of Linux (socket(7), unix(7)), on all that Node runs on. */
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** A path and the NUL behind it. */
const PATH_BYTES = 108;

const SIGNATURES = {
  socket: { arguments: ["int32", "int32", "int32"], return: "int32" },
  sendto: {
    arguments: ["int32", "buffer", "uint64", "int32", "buffer", "uint32"],
    return: "int64",
  },
  close: { arguments: ["int32"], return: "int32" },
} as const;

type Calls = NonNullable<ReturnType<typeof cFunctions<typeof SIGNATURES>>>;

let calls: Calls | undefined | "untried" = "untried";

/** Whether datagrams can be sent to sockets in the file system: on Linux, by a Node that calls C. */
export function canSendDatagrams(): boolean {
  if (calls === "untried") calls = cFunctions(SIGNATURES);
  return calls !== undefined;
}

/** Whether a datagram socket is bound at a path now, also behind links. False where the system does not say. */
export function isDatagramSocket(path: string): boolean {
  try {
    const real = realpathSync(path);
    // Num RefCount Protocol Flags Type St Inode Path
    const rows = readFileSync("/proc/net/unix", "utf8").split("\n");
    return rows.some((row) => {
      const [, , , , type, , , ...names] = row.trim().split(" ").filter(Boolean);
      return (
        Number.parseInt(type ?? "", 16) === SOCK_DGRAM && [path, real].includes(names.join(" "))
      );
    });
  } catch {
    return false;
  }
}

/**
 * Sends a datagram to a socket in the file system. Does not wait: where it is not taken at once it is not taken.
 *
 * Each has a socket of its own, so that a receiver that was started anew has the next one.
 *
 * @throws Error where it was not taken, or this Node cannot send any.
 */
export function sendUnixDatagram(path: string, bytes: Uint8Array): void {
  if (!canSendDatagrams()) {
    throw new Error(`${path} is a datagram socket, which this Node cannot send to`);
  }
  const { socket, sendto, close } = calls as Calls;
  const address = addressOf(path);
  const descriptor = Number(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (descriptor < 0) throw new Error("the server is out of file descriptors");
  try {
    const [size, flags] = [BigInt(bytes.length), MSG_DONTWAIT | MSG_NOSIGNAL];
    const sent = Number(sendto(descriptor, bytes, size, flags, address, address.length));
    if (sent === bytes.length) return;
    const why = isDatagramSocket(path)
      ? "what reads there does not keep up, or this user may not write there"
      : "nobody reads there";
    throw new Error(`the datagram to ${path} was not taken: ${why}`);
  } finally {
    close(descriptor);
  }
}

/** `struct sockaddr_un`. */
function addressOf(path: string): Uint8Array {
  const name = Buffer.from(`${path}\0`);
  if (name.length > PATH_BYTES) {
    throw new Error(
      `${path} is longer than the ${PATH_BYTES - 1} bytes that a socket's path may have`,
    );
  }
  const family = Buffer.alloc(2);
  if (endianness() === "LE") family.writeUInt16LE(AF_UNIX);
  else family.writeUInt16BE(AF_UNIX);
  return new Uint8Array(Buffer.concat([family, name]));
}
