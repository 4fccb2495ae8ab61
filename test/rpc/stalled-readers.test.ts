import { once } from "node:events";
import { constants } from "node:http2";
import { setTimeout as delay } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { EventReader } from "../support/event-reader.ts";
import { bytesOf, collect, durable } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect, PROTOCOLS, type TestClient } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer } from "../support/test-server.ts";
import { attachOverHttp1, attachOverHttp2, openHttp2 } from "./raw-streams.ts";

/** More than the kernel takes for a client of HTTP/1.1 that reads nothing. */
const LONG = script(...Array.from({ length: 30 }, () => "big 1000000"));

async function runLong({ client }: TestClient): Promise<string> {
  const [first] = await collect(client.runTurn({ prompt: LONG }));
  return first!.turnId;
}

describe("a reader that takes nothing while something waits for it", () => {
  it.concurrent.each(PROTOCOLS)(
    "is told where to go on once it reads again, over $name",
    async (protocol) => {
      await using server = await startTestServer({
        BREAKGLASS_READER_STALL_SECONDS: "4",
        BREAKGLASS_MAX_SUBSCRIPTIONS: "1",
      });
      using connection = protocol.connect(server.url);
      using other = connect(server.url);
      const turnId = await runLong(other);
      await using reader = new EventReader(connection.client.attachTurn({ turnId }));
      await reader.until("checkpoint");
      // The only place is free again once the server has ended the stream.
      const all = await eventually(
        () => collect(other.client.attachTurn({ turnId })).catch(() => []),
        (found) => found.length > 0,
        20_000,
      );
      const refusal = await refusalOf(readOn(reader));
      const sequence = reader.seen.at(-1)!.sequence;
      expect(sequence).toBeLessThan(32);
      expect(refusal).toEqual({
        code: "Unavailable",
        reason: "STREAM_ENDED",
        domain: "breakglass",
        metadata: { turn_id: turnId, sequence: String(sequence) },
        retryMs: expect.any(Number),
      });
      const rest = await collect(
        connection.client.attachTurn({ turnId, afterSequence: sequence }),
      );
      expect(bytesOf(durable([...reader.seen, ...rest]))).toEqual(bytesOf(durable(all)));
    },
    60_000,
  );

  it.concurrent("is cut off after as long again, UNAVAILABLE over HTTP/2", async () => {
    await using server = await startTestServer({ BREAKGLASS_READER_STALL_SECONDS: "1" });
    using connection = connect(server.url);
    const turnId = await runLong(connection);
    await using reader = new EventReader(connection.client.attachTurn({ turnId }));
    await reader.until("checkpoint");
    await eventually(
      () => server.log.filter((line) => line.includes("cut off")).length,
      (count) => count === 1,
    );
    await expect(reader.rest()).rejects.toMatchObject({ code: Code.Unavailable });
    // Its connection serves on.
    expect(durable(await collect(connection.client.attachTurn({ turnId })))).toHaveLength(32);
  });

  it.concurrent("is cut off after as long again over HTTP/1.1", async () => {
    await using server = await startTestServer({ BREAKGLASS_READER_STALL_SECONDS: "1" });
    using connection = connect(server.url);
    const turnId = await runLong(connection);
    const socket = await attachOverHttp1(server.url, turnId);
    const closed = once(socket, "close").catch(() => {});
    await eventually(
      () => server.log.filter((line) => line.includes("cut off")).length,
      (count) => count === 1,
    );
    socket.resume();
    await closed;
    expect(socket.bytesRead).toBeLessThan(30_000_000);
  });

  it.concurrent("is cut off at once where all of them hold too much", async () => {
    await using server = await startTestServer({
      BREAKGLASS_READER_STALL_SECONDS: "3600",
      BREAKGLASS_MAX_STALLED_BYTES: String(8 * 1024 * 1024),
    });
    using connection = connect(server.url);
    const turnId = await runLong(connection);
    const session = openHttp2(server.url);
    const streams = await Promise.all(
      Array.from({ length: 20 }, () => attachOverHttp2(session, turnId)),
    );
    const open = () => streams.filter((stream) => !stream.closed);
    await eventually(open, (left) => left.length < 8);
    expect(open().length).toBeLessThan(8);
    const closed = streams.filter((stream) => stream.closed);
    expect(new Set(closed.map((stream) => stream.rstCode))).toEqual(
      new Set([constants.NGHTTP2_REFUSED_STREAM]),
    );
    // Who reads is not disturbed.
    expect(durable(await collect(connection.client.attachTurn({ turnId })))).toHaveLength(32);
    session.destroy();
  });
});

describe("a reader that is slow", () => {
  it.concurrent("is not taken for one that reads nothing, over HTTP/1.1", async () => {
    await using server = await startTestServer({ BREAKGLASS_READER_STALL_SECONDS: "1" });
    using connection = connect(server.url);
    const turnId = await runLong(connection);
    const socket = await attachOverHttp1(server.url, turnId);
    const closed = once(socket, "close");
    // What the kernel holds for it takes several times the limit to get through at this pace.
    const since = performance.now();
    while (performance.now() - since < 8000) {
      socket.read(32 * 1024);
      await delay(100);
    }
    socket.resume();
    await closed.catch(() => {});
    expect(socket.bytesRead).toBeGreaterThan(30_000_000);
    expect(server.log.filter((line) => line.includes("cut off"))).toEqual([]);
  });

  it.concurrent("is not taken for one that reads nothing, over HTTP/2", async () => {
    await using server = await startTestServer({ BREAKGLASS_READER_STALL_SECONDS: "1" });
    using connection = connect(server.url);
    // One message of 3 MiB takes several times the limit at this pace.
    const [first] = await collect(connection.client.runTurn({ prompt: "big 4000000" }));
    const session = openHttp2(server.url);
    const stream = await attachOverHttp2(session, first!.turnId);
    const ended = once(stream, "end");
    let bytes = 0;
    const since = performance.now();
    while (performance.now() - since < 6000) {
      bytes += stream.read(32 * 1024)?.length ?? 0;
      await delay(100);
    }
    stream.on("data", (chunk: Buffer) => void (bytes += chunk.length));
    await ended;
    expect(bytes).toBeGreaterThan(3_000_000);
    session.destroy();
  });
});

async function* readOn(reader: EventReader) {
  yield await reader.rest();
}
