import { createRequire } from "node:module";
import type { Socket } from "node:net";
import { endianness } from "node:os";

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

type GetOption = (
  fd: number,
  level: number,
  name: number,
  value: Uint8Array,
  length: Uint8Array,
) => unknown;

let getOption: GetOption | undefined | "untried" = "untried";

/** Whether the kernel can be asked who connected a socket: on Linux, by a Node that calls C. */
export function hasPeerCredentials(): boolean {
  if (getOption === "untried") getOption = findGetOption();
  return getOption !== undefined;
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
  const failed = (getOption as GetOption)(fd, SOL_SOCKET, SO_PEERCRED, bytes(value), bytes(length));
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

/** `node:ffi` warns that it is an experiment, which is nothing to an operator: without it the kernel is not asked. */
function findGetOption(): GetOption | undefined {
  if (process.platform !== "linux") return undefined;
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    const ffi = createRequire(import.meta.url)("node:ffi") as typeof import("node:ffi");
    const { functions } = ffi.dlopen(null, {
      getsockopt: { arguments: ["int32", "int32", "int32", "buffer", "buffer"], return: "int32" },
    });
    return functions.getsockopt as unknown as GetOption;
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}
