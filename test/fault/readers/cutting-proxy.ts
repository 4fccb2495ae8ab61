import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { between, chance, oneOf } from "../random.ts";
import type { CutFindings, CutPace } from "./cut-reader.ts";

/** Forwards connections to a server, and cuts so many of them both ways, in the middle of what comes back. */
export class CuttingProxy {
  /** What its clients name it by. */
  readonly host: string;
  /** The server; to be set before the first client comes. */
  target = "";
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #pace: CutPace;
  readonly #findings: CutFindings;
  #cutsLeft: number;

  private constructor(server: Server, pace: CutPace, findings: CutFindings) {
    this.#server = server;
    this.#pace = pace;
    this.#findings = findings;
    this.#cutsLeft = pace.cuts;
    this.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("connection", (near) => this.#forward(near));
  }

  /** Opens one on a port of its own; its owner disposes of it. */
  static async open(pace: CutPace, findings: CutFindings): Promise<CuttingProxy> {
    const server = createServer({ noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new CuttingProxy(server, pace, findings);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #forward(near: Socket): void {
    const { hostname, port } = new URL(this.target);
    const far = connect({ port: Number(port), host: hostname, noDelay: true });
    this.#join(near, far);
    if (this.#cutsLeft-- > 0) this.#cutSoon(near, far);
    else far.pipe(near);
  }

  #join(near: Socket, far: Socket): void {
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    near.pipe(far);
  }

  #cutSoon(near: Socket, far: Socket): void {
    const { withinBytes, withinMs } = this.#pace;
    const findings = this.#findings;
    const how = oneOf(["reset", "destroy"] as const);
    let left = Number.POSITIVE_INFINITY;
    const cut = () => {
      if (near.destroyed) return;
      const what = `${how}, the package's client`;
      findings.cuts[what] = (findings.cuts[what] ?? 0) + 1;
      findings.interrupted++;
      if (how === "destroy") near.destroySoon();
      else near.resetAndDestroy();
      if (how === "destroy") far.destroy();
      else far.resetAndDestroy();
    };
    if (chance(0.5)) left = Math.floor(withinBytes * Math.random() ** 2);
    else {
      const timer = setTimeout(cut, between(0, withinMs));
      near.once("close", () => clearTimeout(timer));
    }
    far.on("data", (bytes: Buffer) => {
      if (near.destroyed) return;
      near.write(left < bytes.length ? bytes.subarray(0, left) : bytes);
      left -= bytes.length;
      if (left <= 0) cut();
    });
  }
}
