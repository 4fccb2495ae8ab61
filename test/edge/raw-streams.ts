import { type IncomingMessage, request as requestHttp1 } from "node:http";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { AttachTurnRequestSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";

const SERVICE = "/breakglass.v1.BreakglassService";

/** A request as its bytes: an envelope of no compression, and the message. */
export function attachFrame(turnId: string, afterSequence = 0): Buffer {
  const init = create(AttachTurnRequestSchema, { turnId, afterSequence });
  const message = toBinary(AttachTurnRequestSchema, init);
  const frame = Buffer.concat([Buffer.alloc(5), message]);
  frame.writeUInt32BE(message.length, 1);
  return frame;
}

/** Opens a stream of gRPC over a connection that is there, and reads none of it. Resolves with its headers. */
export async function attachOverHttp2(
  session: ClientHttp2Session,
  turnId: string,
): Promise<ClientHttp2Stream> {
  const stream = session.request({
    ":method": "POST",
    ":path": `${SERVICE}/AttachTurn`,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {}).pause();
  stream.end(attachFrame(turnId));
  await new Promise<void>((resolve) => {
    stream.once("response", () => resolve()).once("close", () => resolve());
  });
  return stream;
}

/** A connection whose end hurts nobody. */
export function openHttp2(url: string): ClientHttp2Session {
  return connect(url).on("error", () => {});
}

/** Opens a stream of Connect over a connection of HTTP/1.1 of its own, and reads none of it. Resolves with its headers. */
export function attachOverHttp1(url: string, turnId: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/connect+proto" };
    const options = { method: "POST", headers, agent: false };
    const request = requestHttp1(`${url}${SERVICE}/AttachTurn`, options);
    request.on("error", reject).on("response", (response) => {
      response.on("error", () => {}).pause();
      resolve(response);
    });
    request.end(attachFrame(turnId));
  });
}
