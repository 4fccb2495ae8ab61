import type { Socket } from "node:net";
import { endianness } from "node:os";
import { cFunctions } from "../stream/c-functions.ts";

/** Who connected a socket in the file system, as the kernel noted it then. */
export interface PeerCredentials {
  /** 0: a process that cannot be seen from here. */
  readonly pid: number;
  readonly uid: number;
}

/** Of Linux (socket(7), unix(7)), on all that Node runs on. */
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const CREDENTIALS_BYTES = 12;

const SIGNATURES = {
  getsockopt: { arguments: ["int32", "int32", "int32", "buffer", "buffer"], return: "int32" },
} as const;

type Calls = NonNullable<ReturnType<typeof cFunctions<typeof SIGNATURES>>>;

let calls: Calls | undefined | "untried" = "untried";

/** Whether the kernel can be asked who connected a socket: on Linux, by a Node that calls C. */
export function hasPeerCredentials(): boolean {
  if (calls === "untried") calls = cFunctions(SIGNATURES);
  return calls !== undefined;
}

/**
 * Who connected a socket in the file system. Undefined: the kernel cannot be asked, or the connection is gone.
 *
 * Node has no call for it and none of its tables says it: the rows of `/proc/net/unix` do not name their other ends.
 */
export function readPeerCredentials(socket: Socket): PeerCredentials | undefined {
  const fd = descriptorOf(socket);
  if (fd === undefined || !hasPeerCredentials()) return undefined;
  const value = new DataView(new ArrayBuffer(CREDENTIALS_BYTES));
  const length = new DataView(new ArrayBuffer(4));
  const isLittle = endianness() === "LE";
  length.setUint32(0, CREDENTIALS_BYTES, isLittle);
  const { getsockopt } = calls as Calls;
  const failed = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, bytes(value), bytes(length));
  if (failed !== 0 || length.getUint32(0, isLittle) !== CREDENTIALS_BYTES) return undefined;
  return { pid: value.getInt32(0, isLittle), uid: value.getUint32(4, isLittle) };
}

/** HTTP/2 shows the handle of the socket below it. */
function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } };
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}

function bytes({ buffer }: DataView): Uint8Array {
  return new Uint8Array(buffer);
}
