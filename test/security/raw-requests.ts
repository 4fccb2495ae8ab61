import { create, toBinary } from "@bufbuild/protobuf";
import {
  AttachTurnRequestSchema,
  BreakglassService,
  GetTurnRequestSchema,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";

/** A request, as the bytes of either version of HTTP are made of it. */
export interface RawRequest {
  readonly host: string;
  readonly method: string;
  readonly contentType: string;
  /** Each a chunk of HTTP/1.1, or a frame of HTTP/2. */
  readonly body: readonly Uint8Array[];
  /** Whether trailers come behind the body. */
  readonly hasTrailers?: boolean;
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** HTTP/2's connection preface, with empty settings. */
export const PREFACE = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frame(0x4, 0, 0),
]);

const END_STREAM = 0x1;
const END_HEADERS = 0x4;

/** Where a method is asked for. */
export function pathOf(method: string): string {
  return `/${BreakglassService.typeName}/${method}`;
}

/** All that a client of HTTP/1.1 sends; the body is chunked. */
export function http1Bytes({
  host,
  method,
  contentType,
  body,
  hasTrailers,
  headers,
}: RawRequest): Buffer {
  const all = { host, "content-type": contentType, "transfer-encoding": "chunked", ...headers };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const chunks = body.flatMap((piece) => [`${piece.length.toString(16)}\r\n`, piece, "\r\n"]);
  const end = hasTrailers ? "0\r\nx-trailer: 1\r\n\r\n" : "0\r\n\r\n";
  const parts = [`POST ${pathOf(method)} HTTP/1.1\r\n`, ...head, "\r\n", ...chunks, end];
  return Buffer.concat(parts.map((part) => Buffer.from(part as string)));
}

/** All that a client of HTTP/2 sends, who waits for none of the server's settings. */
export function http2Bytes({
  host,
  method,
  contentType,
  body,
  hasTrailers,
  headers,
}: RawRequest): Buffer {
  const pseudo = {
    ":method": "POST",
    ":scheme": "http",
    ":path": pathOf(method),
    ":authority": host,
  };
  const head = fields({ ...pseudo, "content-type": contentType, te: "trailers", ...headers });
  const frames = body.map((piece, at) =>
    frame(0x0, at === body.length - 1 && !hasTrailers ? END_STREAM : 0, 1, piece),
  );
  const trailers = frame(0x1, END_STREAM | END_HEADERS, 1, fields({ "x-trailer": "1" }));
  return Buffer.concat([
    PREFACE,
    frame(0x1, END_HEADERS, 1, head),
    ...frames,
    ...(hasTrailers ? [trailers] : []),
  ]);
}

/** A frame of HTTP/2: a kind, flags, a stream, a payload. */
export function frame(
  kind: number,
  flags: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = kind;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Headers in HPACK's literals (RFC 7541), each with its name and its value of at most 126 bytes. */
export function fields(all: Readonly<Record<string, string>>): Buffer {
  const text = (value: string) => Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);
  const parts = Object.entries(all).flatMap(([name, value]) => [
    Buffer.of(0),
    text(name),
    text(value),
  ]);
  return Buffer.concat(parts);
}

/** A message in an envelope of no compression. */
export function enveloped(message: Uint8Array): Buffer {
  const envelope = Buffer.alloc(5);
  envelope.writeUInt32BE(message.length, 1);
  return Buffer.concat([envelope, message]);
}

/** A call as each protocol has it: its method, its content type and its body. */
export interface RawCall {
  readonly name: string;
  readonly method: string;
  readonly contentType: string;
  readonly body: Buffer;
}

/** A call that answers once and one that streams, in every protocol, both about a turn. */
export function callsAbout(turnId: string): RawCall[] {
  const get = Buffer.from(toBinary(GetTurnRequestSchema, create(GetTurnRequestSchema, { turnId })));
  const init = create(AttachTurnRequestSchema, { turnId });
  const attach = enveloped(toBinary(AttachTurnRequestSchema, init));
  const json = Buffer.from(JSON.stringify({ turnId }));
  const call = (name: string, method: string, contentType: string, body: Buffer) => ({
    name: `${name}, ${method}`,
    method,
    contentType,
    body,
  });
  return [
    call("Connect in JSON", "GetTurn", "application/json", json),
    call("Connect in JSON", "AttachTurn", "application/connect+json", enveloped(json)),
    call("Connect", "GetTurn", "application/proto", get),
    call("Connect", "AttachTurn", "application/connect+proto", attach),
    call("gRPC-Web", "GetTurn", "application/grpc-web+proto", enveloped(get)),
    call("gRPC-Web", "AttachTurn", "application/grpc-web+proto", attach),
    call("gRPC", "GetTurn", "application/grpc", enveloped(get)),
    call("gRPC", "AttachTurn", "application/grpc", attach),
  ];
}
