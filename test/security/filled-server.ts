import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { expect } from "vitest";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { ConnectionFlood } from "../support/connection-flood.ts";
import { eventually } from "../support/processes.ts";

/** One peer may have half of the connections. */
const PEERS = ["127.0.0.2", "127.0.0.3"];

/**
 * Fills a server with authenticated connections, which it keeps as long as it has room for any, and with others that say
 * nothing, until no more than it keeps are left.
 */
export async function fill(
  url: string,
  limit: number,
  headers: Readonly<Record<string, string>>,
): Promise<Disposable> {
  using stack = new DisposableStack();
  const { hostname, port } = new URL(url);
  let answered = 0;
  // One after the other: of those whose calls have not come yet only a part is kept.
  for (let tried = 0; tried < limit; tried++) {
    const localAddress = PEERS[tried % PEERS.length]!;
    const createConnection = () => connectTcp({ port: Number(port), host: hostname, localAddress });
    const session = stack.adopt(connectHttp2(url, { createConnection }), (one) => one.destroy());
    if (await isAnswered(session, headers)) answered++;
  }
  expect(answered).toBeGreaterThan(0);
  expect(answered).toBeLessThan(limit);
  const flood = stack.use(await ConnectionFlood.begin(url, limit));
  await eventually(
    () => flood.open,
    (open) => open < limit,
  );
  expect(flood.open).toBeLessThan(limit);
  return stack.move();
}

/** Whether a connection that comes with a token is kept. */
function isAnswered(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string>>,
): Promise<boolean> {
  return new Promise((resolve) => {
    const path = `/${BreakglassService.typeName}/ListSessions`;
    const call = { ":method": "POST", ":path": path, "content-type": "application/json" };
    session.on("error", () => resolve(false)).on("close", () => resolve(false));
    const stream = session.request({ ...call, ...headers });
    stream.on("error", () => resolve(false));
    stream.on("response", (response) => resolve(response[":status"] === 200));
    stream.resume().end("{}");
  });
}
