import { connect, type Socket } from "node:net";

const FRAME_HEADER_BYTES = 9;
const MESSAGE_HEADER_BYTES = 5;
const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 };
const END_STREAM = 1;
const END_HEADERS = 4;
const ACK = 1;
const LARGEST_WINDOW = 2 ** 31 - 1;
const FIRST_WINDOW = 65_535;
const INITIAL_WINDOW_SIZE = 4;

/** What becomes of one stream. */
export interface StreamReader {
  /** A whole message, serialized. Valid only during the call. */
  message(bytes: Buffer): void;
  /** Nothing more comes, whatever the reason. */
  end(): void;
}

/**
 * The client's end of an HTTP/2 connection that only does what a benchmark of streams takes: gRPC requests of one small
 * message, answers without padding, windows that never close. It looks at no header and no status.
 *
 * So cheap that thousands of streams can be read on the machine that serves them.
 */
export class FrameConnection {
  readonly #socket: Socket;
  readonly #authority: string;
  readonly #streams = new Map<number, { reader: StreamReader; partial: Buffer | undefined }>();
  #partial: Buffer | undefined;
  #nextId = 1;

  constructor(url: string) {
    const { hostname, port, host } = new URL(url);
    this.#authority = host;
    this.#socket = connect(Number(port), hostname);
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (chunk: Buffer) => this.#push(chunk));
    this.#socket.on("close", () => this.#endAll());
    this.#socket.on("error", () => {});
    const window = Buffer.alloc(6);
    window.writeUInt16BE(INITIAL_WINDOW_SIZE, 0);
    window.writeUInt32BE(LARGEST_WINDOW, 2);
    this.#socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    this.#socket.write(frame(FRAME.settings, 0, 0, window));
    this.#socket.write(frame(FRAME.windowUpdate, 0, 0, uint32(LARGEST_WINDOW - FIRST_WINDOW)));
  }

  /** Calls a method, `/package.Service/Method`, with a serialized message, and reads the answers. */
  call(path: string, message: Uint8Array, reader: StreamReader): void {
    const id = this.#nextId;
    this.#nextId += 2;
    this.#streams.set(id, { reader, partial: undefined });
    const body = Buffer.concat([Buffer.of(0), uint32(message.length), message]);
    this.#socket.write(
      Buffer.concat([
        frame(FRAME.headers, END_HEADERS, id, requestHeaders(path, this.#authority)),
        frame(FRAME.data, END_STREAM, id, body),
      ]),
    );
  }

  close(): void {
    this.#socket.destroy();
  }

  #push(chunk: Buffer): void {
    const bytes = this.#partial === undefined ? chunk : Buffer.concat([this.#partial, chunk]);
    let start = 0;
    while (bytes.length - start >= FRAME_HEADER_BYTES) {
      const length = bytes.readUIntBE(start, 3);
      const end = start + FRAME_HEADER_BYTES + length;
      if (end > bytes.length) break;
      const id = bytes.readUInt32BE(start + 5);
      this.#take(bytes[start + 3]!, bytes[start + 4]!, id, bytes.subarray(end - length, end));
      start = end;
    }
    this.#partial = start < bytes.length ? bytes.subarray(start) : undefined;
  }

  #take(type: number, flags: number, id: number, payload: Buffer): void {
    if (type === FRAME.data) this.#read(id, payload);
    if (type === FRAME.settings && (flags & ACK) === 0) {
      this.#socket.write(frame(FRAME.settings, ACK, 0, Buffer.alloc(0)));
    }
    if (type === FRAME.ping && (flags & ACK) === 0) {
      this.#socket.write(frame(FRAME.ping, ACK, 0, payload));
    }
    const ends = (type === FRAME.data || type === FRAME.headers) && (flags & END_STREAM) !== 0;
    if (ends || type === FRAME.reset) this.#end(id);
    if (type === FRAME.goAway) this.#endAll();
  }

  #read(id: number, payload: Buffer): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    const bytes = stream.partial === undefined ? payload : Buffer.concat([stream.partial, payload]);
    let start = 0;
    while (bytes.length - start >= MESSAGE_HEADER_BYTES) {
      const end = start + MESSAGE_HEADER_BYTES + bytes.readUInt32BE(start + 1);
      if (end > bytes.length) break;
      stream.reader.message(bytes.subarray(start + MESSAGE_HEADER_BYTES, end));
      start = end;
    }
    // A copy: what it is a part of is larger and would live as long.
    stream.partial = start < bytes.length ? Buffer.from(bytes.subarray(start)) : undefined;
  }

  #end(id: number): void {
    const stream = this.#streams.get(id);
    this.#streams.delete(id);
    stream?.reader.end();
  }

  #endAll(): void {
    for (const id of [...this.#streams.keys()]) this.#end(id);
  }
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** HPACK (RFC 7541) without its tables: the two fields that stand there whole, and literals. */
function requestHeaders(path: string, authority: string): Buffer {
  const post = 0x83;
  const http = 0x86;
  const pathField = 0x04;
  const authorityField = 0x01;
  const newField = 0x00;
  return Buffer.concat([
    Buffer.of(post, http, pathField),
    hpackText(path),
    Buffer.of(authorityField),
    hpackText(authority),
    ...[
      ["content-type", "application/grpc+proto"],
      ["te", "trailers"],
    ].flatMap(([name, value]) => [Buffer.of(newField), hpackText(name!), hpackText(value!)]),
  ]);
}

/** A text of at most 126 bytes. */
function hpackText(text: string): Buffer {
  return Buffer.concat([Buffer.of(text.length), Buffer.from(text, "latin1")]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
