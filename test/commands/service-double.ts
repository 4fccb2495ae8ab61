import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { type TurnEventSchema, TurnState } from "../../gen/breakglass/v1/event_pb.ts";

/** A server on loopback that speaks the protocol and does what a test tells it to. */
export interface ServiceDouble extends AsyncDisposable {
  readonly url: string;
}

/** Starts it; calls that `implementation` lacks answer UNIMPLEMENTED. */
export async function startServiceDouble(
  implementation: Partial<ServiceImpl<typeof BreakglassService>>,
): Promise<ServiceDouble> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer(
    connectNodeAdapter({ routes: (router) => router.service(BreakglassService, implementation) }),
  ).on("session", (session) => sessions.add(session));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => close(server, sessions),
  };
}

function close(server: Http2Server, sessions: Set<ServerHttp2Session>): Promise<void> {
  for (const session of sessions) session.destroy();
  return new Promise((resolve) => server.close(() => resolve()));
}

export const TURN_ID = "01890a5d-ac96-774b-bcce-b302099a8057";
export const SESSION_ID = "7d444840-9dc0-41d1-b245-5ffdce74fad2";

/** An event as a response holds it. */
export function response(
  kind: NonNullable<MessageInitShape<typeof TurnEventSchema>["kind"]>,
  sequence = 0,
) {
  return { event: { turnId: TURN_ID, sessionId: SESSION_ID, sequence, kind } };
}

/** The checkpoint that begins a stream, where nothing had happened before. */
export function checkpoint(state: TurnState = TurnState.RUNNING, sequence = 0, caughtUp = true) {
  return response({ case: "checkpoint", value: { state, sequence, caughtUp } });
}
