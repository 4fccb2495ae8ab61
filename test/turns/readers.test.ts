import { connect as connectHttp2 } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { AttachTurnRequestSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { bytesOf, collect, durable, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer } from "../support/test-server.ts";

describe("a reader", () => {
  it("that reads nothing holds up neither the agent nor other readers", async () => {
    await using server = await startTestServer();
    using slow = connect(server.url);
    using quick = connect(server.url);
    const steps = Array.from({ length: 30 }, () => "big 1000000");
    await using stalled = new EventReader(slow.client.runTurn({ prompt: script(...steps) }));
    const { turnId } = await stalled.until("checkpoint");
    const all = durable(await collect(quick.client.attachTurn({ turnId })));
    expect(all).toHaveLength(32);
    const { turn } = await quick.client.getTurn({ turnId });
    expect(turn?.state).toBe(TurnState.SUCCEEDED);
    // And when it reads after all, it has missed nothing.
    expect(bytesOf(durable(await stalled.rest()))).toEqual(bytesOf(all));
  });

  it.each([1, 2, 3])("that vanishes while a write to it is blocked is let go of (%i)", async () => {
    await using server = await startTestServer({ BREAKGLASS_MAX_SUBSCRIPTIONS: "1" });
    using connection = connect(server.url);
    const { client } = connection;
    const steps = Array.from({ length: 10 }, () => "big 1000000");
    const [event] = await collect(client.runTurn({ prompt: script(...steps) }));
    const { turnId } = event!;
    await attachAndVanish(server.url, turnId);
    const events = await eventually(
      () => collect(client.attachTurn({ turnId })).catch(() => []),
      (found) => found.length > 0,
    );
    expect(durable(events)).toHaveLength(12);
  });

  it("hears within 15 s that its silent turn still runs", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const gate = createGate(server.root);
    const prompt = script("say quiet", gate.step);
    await using reader = new EventReader(connection.client.runTurn({ prompt }));
    await reader.until("text");
    const since = performance.now();
    const { kind } = await reader.until("checkpoint");
    expect(kind.value).toMatchObject({ sequence: 2, state: TurnState.RUNNING, caughtUp: false });
    expect(performance.now() - since).toBeLessThan(16_000);
    gate.open();
    expect(valuesOf(await reader.rest(), "result")).toHaveLength(1);
  });
});

/** Opens a stream of gRPC, reads none of it, and is gone once the server has filled what it may send. */
async function attachAndVanish(url: string, turnId: string): Promise<void> {
  const message = toBinary(AttachTurnRequestSchema, create(AttachTurnRequestSchema, { turnId }));
  const frame = Buffer.concat([Buffer.alloc(5), message]);
  frame.writeUInt32BE(message.length, 1);
  const session = connectHttp2(url);
  const stream = session.request({
    ":method": "POST",
    ":path": "/breakglass.v1.BreakglassService/AttachTurn",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  stream.end(frame);
  await new Promise((resolve) => stream.once("response", resolve));
  // Nothing is read: the stream's window of 64 KiB fills, and the server's write waits.
  const received = await eventually(
    () => session.socket.bytesRead,
    (bytes) => bytes > 64 * 1024,
  );
  expect(received).toBeGreaterThan(64 * 1024);
  session.destroy();
}
