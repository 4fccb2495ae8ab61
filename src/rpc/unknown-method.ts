import { Code, ConnectError } from "@connectrpc/connect";
import { endStreamToJson, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import type { HttpRequest, HttpResponse } from "../edge/http.ts";
import { leaveUnread } from "../edge/unread-request.ts";
import { enveloped } from "./envelope.ts";
import { respondEmpty } from "./respond.ts";
import { type WireFormat, wireFormatOf } from "./wire-format.ts";

/** A method of a service, as the path of a call has it. */
const METHOD_PATH = /^\/([\w.]{1,200}\/\w{1,200})$/;
/** The flags of the envelope that ends a stream: of Connect, and of gRPC-Web, whose trailers are in it. */
const CONNECT_END = 0x02;
const GRPC_WEB_TRAILERS = 0x80;

/** gRPC-Web with its body in base64, which the official client needs for streams. */
const TEXT_FORMAT = /^application\/grpc-web-text(?:\+|;|$)/i;
const TEXT_MEND =
  "application/grpc-web-text is not taken: use application/grpc-web+proto, as createGrpcWebTransport of @connectrpc/connect-web does, or read GET /v1/turns/{turn_id}/events as text/event-stream";

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array;
  readonly trailers?: Record<string, string>;
}

/** Answers a call of a method that there is not with UNIMPLEMENTED, as its protocol has it, and what is no call with 404. */
export async function respondUnknown(
  path: string,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  const [, method] = METHOD_PATH.exec(path) ?? [];
  const format = wireFormatOf(request.headers["content-type"] ?? null);
  if (method === undefined || format === undefined || request.method !== "POST") {
    await respondEmpty(404, request, response);
    return;
  }
  const answer = answerFor(format, `there is no method ${method}`);
  await leaveUnread(request, response);
  response.writeHead(answer.status, answer.headers);
  if (answer.body !== undefined) response.write(answer.body);
  response.addTrailers(answer.trailers ?? {});
  response.end();
}

/** Whether a request is in gRPC-Web's text format. */
export function isTextFormat({ headers }: HttpRequest): boolean {
  return TEXT_FORMAT.test(headers["content-type"] ?? "");
}

/** Refuses a request in gRPC-Web's text format, in that format, so that its client reads what would do. */
export async function respondTextFormat(
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  const trailers = trailerSerialize(
    statusTrailers(new ConnectError(TEXT_MEND, Code.Unimplemented)),
  );
  await leaveUnread(request, response);
  response.writeHead(200, { "content-type": "application/grpc-web-text+proto" });
  response.end(enveloped(trailers, GRPC_WEB_TRAILERS).toString("base64"));
}

function answerFor({ mediaType, isEnveloped }: WireFormat, message: string): Answer {
  const error = new ConnectError(message, Code.Unimplemented);
  const headers = { "content-type": mediaType };
  if (mediaType.startsWith("application/grpc-web")) {
    const trailers = trailerSerialize(statusTrailers(error));
    return { status: 200, headers, body: enveloped(trailers, GRPC_WEB_TRAILERS) };
  }
  if (mediaType.startsWith("application/grpc")) {
    // Among the headers grpc-go takes it only where nothing comes behind them, and Node ends a stream by a frame of its own.
    return { status: 200, headers, trailers: Object.fromEntries(statusTrailers(error)) };
  }
  if (isEnveloped) {
    const end = JSON.stringify(endStreamToJson(new Headers(), error, undefined));
    return { status: 200, headers, body: enveloped(Buffer.from(end), CONNECT_END) };
  }
  const json = { "content-type": "application/json" };
  // The code has 501 elsewhere: that there is nothing at a path is 404.
  return { status: 404, headers: json, body: errorToJsonBytes(error, {}) };
}

function statusTrailers(error: ConnectError): Headers {
  const trailers = new Headers();
  setTrailerStatus(trailers, error);
  return trailers;
}
