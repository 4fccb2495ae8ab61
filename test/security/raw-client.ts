import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { connect as connectTls } from "node:tls";

/** How a client ends what it says: not at all, as one that has said all, or as one that crashed. */
export type Ending = "none" | "FIN" | "RST";

/** What a client that writes bytes got. */
export interface RawAnswer {
  readonly bytes: Buffer;
  /** How the connection ended; undefined: it did not within the time. */
  readonly end: "FIN" | "RST" | undefined;
  /** After how long, in milliseconds. */
  readonly ms: number;
}

/** How a client connects. */
export interface RawOptions {
  /** Of the client's own; every address of 127.0.0.0/8 is on loopback. */
  readonly localAddress?: string;
  /** What it offers in a handshake of TLS. Undefined: it speaks in clear text, or writes its handshake itself. */
  readonly alpn?: readonly string[];
}

/** A client of the bytes that a test gives it. */
export class RawClient implements Disposable {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  readonly #startedAt: number;
  readonly #ended: Promise<"FIN" | "RST">;
  #endedAt = 0;

  private constructor(socket: Socket, startedAt: number) {
    this.#startedAt = startedAt;
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => void this.#chunks.push(chunk));
    this.#ended = new Promise((resolve) => {
      const end = (how: "FIN" | "RST") => {
        this.#endedAt ||= performance.now();
        resolve(how);
      };
      socket.once("end", () => end("FIN"));
      socket.on("error", () => end("RST"));
      socket.once("close", () => end("RST"));
    });
  }

  /** Connects to the port of a URL. */
  static async open(url: string, { localAddress, alpn }: RawOptions = {}): Promise<RawClient> {
    const startedAt = performance.now();
    const { hostname: host, port } = new URL(url);
    const way = { host, port: Number(port), ...(localAddress !== undefined && { localAddress }) };
    const socket = connectTcp({ ...way, noDelay: true });
    socket.on("error", () => {});
    await Promise.race([once(socket, "connect"), once(socket, "close")]);
    if (alpn === undefined) return new RawClient(socket, startedAt);
    const secure = connectTls({ socket, ALPNProtocols: [...alpn], rejectUnauthorized: false });
    secure.on("error", () => {});
    await Promise.race([once(secure, "secureConnect"), once(secure, "close")]);
    return new RawClient(secure, startedAt);
  }

  /** What came so far. */
  get text(): string {
    return Buffer.concat(this.#chunks).toString("latin1");
  }

  /** Writes pieces, each as a packet of its own where the pause lets it be, and ends. */
  async write(pieces: readonly Uint8Array[], ending: Ending = "none", pauseMs = 0): Promise<void> {
    for (const piece of pieces) {
      if (!this.socket.writable) return;
      this.socket.write(piece);
      await (pauseMs > 0 ? delay(pauseMs) : new Promise((resolve) => setImmediate(resolve)));
    }
    if (ending === "FIN") this.socket.end();
    if (ending === "RST") this.socket.resetAndDestroy();
  }

  /** Resolves when the server has ended the connection, or after so long. */
  async answer(withinMs: number): Promise<RawAnswer> {
    const over = new AbortController();
    const late = delay(withinMs, undefined, over).catch(() => undefined);
    const end = await Promise.race([this.#ended, late]);
    over.abort();
    const ms = (this.#endedAt || performance.now()) - this.#startedAt;
    return { bytes: Buffer.concat(this.#chunks), end, ms };
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** Local port, and a state in which a process holds it: established (01), or closed by its peer alone (08). */
const HELD = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) \S+ (?:01|08) /;

/** How many connections a server at a port holds, those that only their clients have closed among them. Linux only. */
export function heldConnections(url: string): number {
  const port = Number(new URL(url).port);
  const rows = readFileSync("/proc/net/tcp", "latin1").split("\n");
  return rows.filter((row) => Number.parseInt(HELD.exec(row)?.[1] ?? "", 16) === port).length;
}

/** Bytes, cut at those places. */
export function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.filter((place) => place > 0 && place < bytes.length), bytes.length];
  ends.sort((one, other) => one - other);
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

/** Every byte for itself. */
export function everyByte(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
}
