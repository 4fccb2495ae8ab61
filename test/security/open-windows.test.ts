import { type ClientHttp2Session, connect } from "node:http2";
import { expect, it } from "vitest";
import { externalBytes, startWeighedServer } from "../support/external-memory.ts";
import { eventually } from "../support/processes.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { pathOf } from "./raw-requests.ts";

const MIB = 1024 * 1024;
const STREAMS = 100;
const STREAM_BYTES = 3 * MIB;
/** What all bodies may hold together (`BodyBudget`), and what the server holds by itself. */
const MOST_BYTES = 90 * MIB;

/** Calls what has nothing to say, and waits until the windows that it was admitted for are open. */
async function openAdmitted(url: string): Promise<ClientHttp2Session> {
  const session = connect(url, { maxSessionMemory: 1000 }).on("error", () => {});
  const call = { ":method": "POST", ":path": pathOf("ListSessions") };
  session.request({ ...call, "content-type": "application/json" }).end("{}");
  await eventually(
    () => session.remoteSettings?.initialWindowSize ?? 0,
    (bytes) => bytes > STREAM_BYTES,
  );
  return session;
}

/** Begins a body on a stream, and says no more; resolves when it was taken, or the stream is over. */
function beginBody(session: ClientHttp2Session): Promise<void> {
  const body = Buffer.alloc(STREAM_BYTES);
  body.writeUInt32BE(STREAM_BYTES, 1); // A message that is longer than what comes.
  return new Promise((resolve) => {
    const call = { ":method": "POST", ":path": pathOf("RunTurn") };
    const stream = session.request({ ...call, "content-type": "application/grpc" });
    stream.on("error", () => {});
    stream.once("close", () => resolve());
    stream.resume().write(body, () => resolve());
  });
}

it("bodies that are never ended hold no more than their budget over windows that are open", async () => {
  await using environment = await createTestEnvironment();
  const { root, variables } = environment;
  await using server = await startWeighedServer(root, variables);
  const session = await openAdmitted(server.url);
  using _closed = { [Symbol.dispose]: () => session.destroy() };
  await Promise.all(Array.from({ length: STREAMS }, () => beginBody(session)));
  const external = () => externalBytes(server, root);
  expect(await eventually(external, (bytes) => bytes < MOST_BYTES)).toBeLessThan(MOST_BYTES);
});
