import { RawClient } from "../security/raw-client.ts";
import { fields, frame, PREFACE, pathOf } from "../security/raw-requests.ts";

const DATA = 0x0;
const HEADERS = 0x1;
const RST_STREAM = 0x3;
const PING = 0x6;
const GOAWAY = 0x7;
const WINDOW_UPDATE = 0x8;
const [END_STREAM, END_HEADERS] = [0x1, 0x4];
const CANCEL = Buffer.of(0, 0, 0, 8);

/**
 * A client of HTTP/2 by its frames: Node's own says that a body has ended before it resets a stream, and a server has answered
 * by then.
 */
export class RawHttp2 implements Disposable {
  /** The codes of the GOAWAYs that came. */
  readonly goaways: number[] = [];
  readonly #client: RawClient;
  readonly #host: string;
  readonly #bodies = new Map<number, Buffer>();
  #left = Buffer.alloc(0);
  #next = 1;
  #answered = Promise.withResolvers<void>();

  private constructor(client: RawClient, host: string) {
    this.#client = client;
    this.#host = host;
    client.socket.on("data", (chunk: Buffer) => this.#read(chunk));
    client.socket.once("close", () => this.#answered.resolve());
  }

  static async open(url: string): Promise<RawHttp2> {
    const client = await RawClient.open(url);
    const opened = new RawHttp2(client, new URL(url).host);
    const window = Buffer.of(0x3f, 0, 0, 0);
    await client.write([PREFACE, frame(WINDOW_UPDATE, 0, 0, window)]);
    return opened;
  }

  /** The bytes that open a stream, and its id. */
  request(method: string, headers: Record<string, string>, body?: Uint8Array): [Buffer, number] {
    const stream = this.#next;
    this.#next += 2;
    const pseudo = { ":method": "POST", ":scheme": "http", ":path": pathOf(method) };
    const head = fields({ ...pseudo, ":authority": this.#host, ...headers });
    const frames = [frame(HEADERS, END_HEADERS, stream, head)];
    if (body !== undefined) frames.push(frame(DATA, END_STREAM, stream, body));
    return [Buffer.concat(frames), stream];
  }

  /** The bytes that reset a stream. */
  reset(stream: number): Buffer {
    return frame(RST_STREAM, 0, stream, CANCEL);
  }

  async write(...pieces: Buffer[]): Promise<void> {
    await this.#client.write([Buffer.concat(pieces)]);
  }

  /** Resolves when the server has read what was written, or has ended the connection. */
  async roundTrip(): Promise<void> {
    if (this.isEnded) return;
    this.#answered = Promise.withResolvers();
    await this.write(frame(PING, 0, 0, Buffer.alloc(8)));
    await this.#answered.promise;
  }

  get isEnded(): boolean {
    return this.#client.socket.destroyed || this.#client.socket.readableEnded;
  }

  /** The body that came on a stream so far, as text. */
  bodyOf(stream: number): string {
    return this.#bodies.get(stream)?.toString() ?? "";
  }

  #read(chunk: Buffer): void {
    const bytes = Buffer.concat([this.#left, chunk]);
    let at = 0;
    while (at + 9 <= bytes.length && at + 9 + bytes.readUIntBE(at, 3) <= bytes.length) {
      const end = at + 9 + bytes.readUIntBE(at, 3);
      this.#take(bytes[at + 3]!, bytes.readUInt32BE(at + 5), bytes.subarray(at + 9, end));
      at = end;
    }
    this.#left = bytes.subarray(at);
  }

  #take(kind: number, stream: number, payload: Buffer): void {
    if (kind === PING) this.#answered.resolve();
    if (kind === GOAWAY) this.goaways.push(payload.readUInt32BE(4));
    if (kind !== DATA) return;
    this.#bodies.set(
      stream,
      Buffer.concat([this.#bodies.get(stream) ?? payload.subarray(0, 0), payload]),
    );
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}
