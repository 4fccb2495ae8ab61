import { constants } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { WatchTurnsRequestSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { openHttp2 } from "../edge/raw-streams.ts";
import { collect } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer } from "../support/test-server.ts";
import { TurnWatcher } from "../support/turn-watcher.ts";

const STALLED = 20;
const READING = 80;
const TURNS = 12;
/** More of a prompt is not told; so many changes fill what HTTP/2 lets on its way, and more. */
const PROMPT = `say ${"x".repeat(5000)}`;

it("who watches all turns and reads nothing is a reader as others, and holds up nobody", async () => {
  // One more for whoever runs the turns.
  const most = String(STALLED + READING + 1);
  await using server = await startTestServer({
    BREAKGLASS_MAX_SUBSCRIPTIONS: most,
    BREAKGLASS_READER_STALL_SECONDS: "1",
  });
  using connection = connect(server.url);
  const { client } = connection;
  await using cleanup = new AsyncDisposableStack();
  const stalled = await Promise.all(Array.from({ length: STALLED }, () => watchUnread(server.url)));
  cleanup.defer(() => {
    for (const { session } of stalled) session.destroy();
  });
  const readers = Array.from({ length: READING }, () => cleanup.use(new TurnWatcher(client)));
  await Promise.all(readers.map((reader) => reader.caughtUp()));
  using last = new TurnWatcher(client);
  await last.caughtUp();
  const oneMore = new TurnWatcher(client);
  const refusal = await refusalOf(oneMore.ended.then(Promise.reject.bind(Promise)));
  expect(refusal).toMatchObject({ reason: "TOO_MANY_SUBSCRIPTIONS" });
  last[Symbol.dispose]();
  await last.ended;

  let turnId = "";
  for (let n = 0; n < TURNS; n++) {
    const run = () => collect(client.runTurn({ prompt: PROMPT })).catch(() => []);
    const events = await eventually(run, (found) => found.length > 0);
    turnId = events[0]!.turnId;
  }
  await Promise.all(readers.map((reader) => reader.untilEnded(turnId)));
  const [first] = readers;
  expect(first!.changes).toHaveLength(1 + 2 * TURNS);
  for (const reader of readers) expect(reader.changes).toEqual(first!.changes);
  const codes = () => stalled.map(({ stream }) => stream.rstCode);
  const ended = await eventually(
    codes,
    (found) => found.every((code) => code === constants.NGHTTP2_REFUSED_STREAM),
    30_000,
  );
  expect(new Set(ended)).toEqual(new Set([constants.NGHTTP2_REFUSED_STREAM]));
  // Their places are others' now.
  const others = Array.from({ length: STALLED }, () => cleanup.use(new TurnWatcher(client)));
  await Promise.all(others.map((each) => each.caughtUp()));
});

/** Opens a stream over a connection of its own, and reads none of it. */
async function watchUnread(url: string) {
  const session = openHttp2(url);
  const message = toBinary(WatchTurnsRequestSchema, create(WatchTurnsRequestSchema));
  const frame = Buffer.concat([Buffer.alloc(5), message]);
  frame.writeUInt32BE(message.length, 1);
  const stream = session.request({
    ":method": "POST",
    ":path": "/breakglass.v1.BreakglassService/WatchTurns",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {}).pause();
  stream.end(frame);
  await new Promise((resolve) => stream.once("response", resolve));
  return { session, stream };
}
