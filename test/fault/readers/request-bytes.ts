import { ATTACH_PATH, attachBody } from "./attach-request.ts";

const FRAME = { data: 0, headers: 1, settings: 4 };
const END_STREAM = 1;
const END_HEADERS = 4;
const STREAM = 1;

/** All that a client of HTTP/1.1 sends to attach to a turn. */
export function http1Request(host: string, turnId: string): Buffer {
  const body = attachBody(turnId, 0);
  const head = [
    `POST ${ATTACH_PATH} HTTP/1.1`,
    `host: ${host}`,
    "content-type: application/connect+proto",
    `content-length: ${body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), body]);
}

/** All that a client of HTTP/2 has to send to attach to a turn: it waits for none of the server's settings. */
export function http2Request(host: string, turnId: string): Buffer {
  return Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    frame(FRAME.settings, 0, 0, Buffer.alloc(0)),
    frame(FRAME.headers, END_HEADERS, STREAM, headers(host)),
    frame(FRAME.data, END_STREAM, STREAM, attachBody(turnId, 0)),
  ]);
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** HPACK (RFC 7541) without its tables: literals, each with its name and its value. */
function headers(host: string): Buffer {
  const fields = {
    ":method": "POST",
    ":scheme": "http",
    ":path": ATTACH_PATH,
    ":authority": host,
    "content-type": "application/grpc",
    te: "trailers",
  };
  return Buffer.concat(
    Object.entries(fields).flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]),
  );
}

/** At most 126 bytes. */
function text(value: string): Buffer {
  return Buffer.concat([Buffer.of(value.length), Buffer.from(value, "latin1")]);
}
