import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from "node:http2";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { DescMethod } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";

export const RAW_PROTOCOLS = ["grpc", "grpc-web", "connect"] as const;
export const RAW_ENCODINGS = ["identity", "gzip", "br"] as const;

/** How the bytes of a request are written: nothing of a client's is in between. */
export interface RawWay {
  readonly protocol: (typeof RAW_PROTOCOLS)[number];
  readonly isJson: boolean;
  readonly encoding: (typeof RAW_ENCODINGS)[number];
}

/** Every one. */
export const RAW_WAYS: readonly RawWay[] = RAW_PROTOCOLS.flatMap((protocol) =>
  [false, true].flatMap((isJson) =>
    RAW_ENCODINGS.map((encoding) => ({ protocol, isJson, encoding })),
  ),
);

/** What a call was answered with. */
export interface RawAnswer {
  /** The code's name, such as `InvalidArgument`; `OK`; `HTTP 415` where there is none. */
  readonly code: string;
  readonly message: string;
  /** Whether there are details. */
  readonly hasDetails: boolean;
}

/** What a test changes of a request. */
export interface RawChanges {
  readonly headers?: Readonly<Record<string, string>>;
  /** In place of the message in its envelope; or what writes the body, and ends it. */
  readonly body?: Uint8Array | ((stream: ClientHttp2Stream) => Promise<void>);
  /** Sees what comes. */
  readonly received?: (chunk: Buffer) => void;
}

/** A connection for calls with messages of any size: by default a client's takes 10 MB, and is cut for more. */
export function openRaw(url: string): ClientHttp2Session {
  return connect(url, { maxSessionMemory: 1000 });
}

/** The name of a way, for a test's. */
export function nameOf({ protocol, isJson, encoding }: RawWay): string {
  return `${protocol} ${isJson ? "JSON" : "binary"} ${encoding}`;
}

/** A message, compressed as a way has it; quickly, it is much. */
export function compressed(message: Uint8Array, { encoding }: RawWay): Uint8Array {
  if (encoding === "gzip") return gzipSync(message, { level: 1 });
  if (encoding === "identity") return message;
  return brotliCompressSync(message, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });
}

/** A message in its envelope. */
export function enveloped(message: Uint8Array, flags: number): Buffer {
  const envelope = Buffer.concat([Buffer.alloc(5), message]);
  envelope[0] = flags;
  envelope.writeUInt32BE(message.length, 1);
  return envelope;
}

/**
 * Calls a method with the bytes of a message, and reads the answer to its end.
 *
 * @param message - Compressed as the way has it.
 */
export async function rawCall(
  session: ClientHttp2Session,
  method: DescMethod,
  way: RawWay,
  message: Uint8Array,
  { headers = {}, body, received }: RawChanges = {},
): Promise<RawAnswer> {
  const isUnary = way.protocol === "connect" && method.methodKind === "unary";
  const flags = way.encoding === "identity" ? 0 : 1;
  const stream = session.request({
    ":method": "POST",
    ":path": `/${method.parent.typeName}/${method.name}`,
    ...headersOf(way, isUnary),
    ...headers,
  });
  // A server that has answered may refuse the rest.
  stream.on("error", () => {});
  let head: Head = {};
  let trailers: IncomingHttpHeaders = {};
  const chunks: Buffer[] = [];
  stream.on("response", (found) => {
    head = found;
  });
  stream.on("trailers", (found) => {
    trailers = found;
  });
  stream.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    received?.(chunk);
  });
  const closed = new Promise<void>((resolve) => stream.once("close", () => resolve()));
  if (typeof body === "function") await body(stream);
  else stream.end(body ?? (isUnary ? message : enveloped(message, flags)));
  await closed;
  if (head[":status"] === undefined) throw new Error("the call was not answered");
  return answerOf(way, isUnary, head, trailers, Buffer.concat(chunks));
}

type Head = IncomingHttpHeaders & IncomingHttpStatusHeader;

function headersOf({ protocol, isJson, encoding }: RawWay, isUnary: boolean) {
  const format = isJson ? "json" : "proto";
  if (isUnary) {
    return {
      "content-type": `application/${format}`,
      "content-encoding": encoding,
      "accept-encoding": "identity",
    };
  }
  const prefix = protocol === "connect" ? "connect-content" : "grpc";
  const accept = protocol === "connect" ? "connect-accept-encoding" : "grpc-accept-encoding";
  return {
    "content-type": `application/${protocol}+${format}`,
    te: "trailers",
    [`${prefix}-encoding`]: encoding,
    [accept]: "identity",
  };
}

function answerOf(
  { protocol }: RawWay,
  isUnary: boolean,
  head: Head,
  trailers: IncomingHttpHeaders,
  body: Buffer,
): RawAnswer {
  const status = head[":status"] ?? 0;
  if (isUnary) return status === 200 ? ok : connectAnswer(body.toString(), status);
  if (status !== 200) return { code: `HTTP ${status}`, message: "", hasDetails: false };
  if (protocol === "grpc") return grpcAnswer({ ...head, ...trailers });
  const last = lastEnvelope(body).toString();
  if (protocol === "connect") {
    const end = JSON.parse(last) as { error?: unknown };
    return end.error === undefined ? ok : connectAnswer(JSON.stringify(end.error), status);
  }
  const lines = last
    .trim()
    .split("\r\n")
    .map((line) => line.split(/: ?(.*)/s, 2));
  return grpcAnswer(Object.fromEntries(lines.map(([name, value]) => [name!.toLowerCase(), value])));
}

const ok: RawAnswer = { code: "OK", message: "", hasDetails: false };

function connectAnswer(json: string, status: number): RawAnswer {
  const {
    code,
    message = "",
    details,
  } = (json.startsWith("{") ? JSON.parse(json) : {}) as {
    code?: string;
    message?: string;
    details?: unknown[];
  };
  if (code === undefined) return { code: `HTTP ${status}`, message: json, hasDetails: false };
  const name = code.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return { code: name, message, hasDetails: details !== undefined };
}

function grpcAnswer(headers: IncomingHttpHeaders): RawAnswer {
  const status = Number(headers["grpc-status"]);
  return {
    code: status === 0 ? "OK" : (Code[status] ?? `grpc-status ${headers["grpc-status"]}`),
    message: decodeURIComponent(String(headers["grpc-message"] ?? "")),
    hasDetails: headers["grpc-status-details-bin"] !== undefined,
  };
}

function lastEnvelope(body: Buffer): Buffer {
  let last = body.subarray(0, 0);
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    last = body.subarray(at + 5, end);
    at = end;
  }
  return last;
}
