import { constants } from "node:http2";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bytesOf, collect, durable } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect, type TestClient } from "../support/protocols.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { attachOverHttp1, attachOverHttp2, openHttp2 } from "./raw-streams.ts";

/** More than the kernel holds for a client that reads nothing: by default up to 32 MiB for it, and 4 for the server. */
const LONG = Array.from({ length: 60 }, () => "big 1000000");
const LAST_SEQUENCE = LONG.length + 2;

async function runLong({ client }: TestClient): Promise<string> {
  const [first] = await collect(client.runTurn({ prompt: script(...LONG) }));
  return first!.turnId;
}

function cutOffs(server: TestServer): number {
  return server.log.filter((line) => line.includes("cut off")).length;
}

describe("a reader that takes nothing while something waits for it", () => {
  it.each([
    ["HTTP/2", (url: string, id: string) => attachOverHttp2(openHttp2(url), id)],
    ["HTTP/1.1", attachOverHttp1],
  ])("is told where to go on once it reads again, over %s", async (_version, attach) => {
    await using server = await startTestServer({
      BREAKGLASS_READER_STALL_SECONDS: "4",
      BREAKGLASS_MAX_TURN_SUBSCRIPTIONS: "1",
    });
    using connection = connect(server.url);
    const { client } = connection;
    const turnId = await runLong(connection);
    const stalled = await attach(server.url, turnId);
    // The only place is free again once the server has ended the stream.
    const all = await eventually(
      () => collect(client.attachTurn({ turnId })).catch(() => []),
      (found) => found.length > 0,
      30_000,
    );
    expect(durable(all)).toHaveLength(LAST_SEQUENCE);
    const end = await readToEnd(stalled);
    const after = Number(
      /attach(?:%20| )after(?:%20| )(\d+)(?:%20| )to(?:%20| )go(?:%20| )on/.exec(end)?.[1],
    );
    expect(after).toBeLessThan(LAST_SEQUENCE);
    const rest = await collect(client.attachTurn({ turnId, afterSequence: after }));
    expect(bytesOf(durable(rest))).toEqual(bytesOf(durable(all).slice(after)));
  });

  describe("for long", () => {
    let server: TestServer;
    let connection: TestClient;
    let turnId: string;
    beforeAll(async () => {
      server = await startTestServer({ BREAKGLASS_READER_STALL_SECONDS: "1" });
      connection = connect(server.url);
      turnId = await runLong(connection);
    });
    afterAll(async () => {
      connection[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    });

    it("is reset over HTTP/2, with the code that means UNAVAILABLE, and its connection serves on", async () => {
      const session = openHttp2(server.url);
      const stream = await attachOverHttp2(session, turnId);
      await new Promise((resolve) => stream.once("close", resolve));
      expect(stream.rstCode).toBe(constants.NGHTTP2_REFUSED_STREAM);
      const again = await attachOverHttp2(session, turnId);
      expect(again.closed).toBe(false);
      session.destroy();
    });

    it("is cut off over HTTP/1.1", async () => {
      const before = cutOffs(server);
      const response = await attachOverHttp1(server.url, turnId);
      const { socket } = response;
      const closed = new Promise((resolve) => response.once("close", resolve));
      const count = await eventually(
        () => cutOffs(server),
        (found) => found > before,
        30_000,
      );
      expect(count).toBe(before + 1);
      response.resume();
      await closed;
      expect(socket.bytesRead).toBeLessThan(60_000_000);
    });

    it.each([
      ["HTTP/1.1", attachOverHttp1],
      ["HTTP/2", (url: string, id: string) => attachOverHttp2(openHttp2(url), id)],
    ])("is not mistaken for one that is slow, over %s", async (_version, attach) => {
      const before = cutOffs(server);
      const source = await attach(server.url, turnId);
      // At this pace it takes several times the limit to get through what the kernel holds for it.
      for (const since = performance.now(); performance.now() - since < 6000; ) {
        source.read(64 * 1024);
        await delay(50);
      }
      expect(cutOffs(server)).toBe(before);
      expect(source.closed).toBe(false);
      source.destroy();
    });
  });

  it("is cut off at once where all of them hold too much, and who reads is not disturbed", async () => {
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
    const closed = () => streams.filter((stream) => stream.closed);
    const cut = await eventually(closed, (found) => found.length > 10, 30_000);
    expect(cut.length).toBeGreaterThan(10);
    expect(cut.length).toBeLessThan(20);
    const codes = new Set(cut.map((stream) => stream.rstCode));
    expect(codes).toEqual(new Set([constants.NGHTTP2_REFUSED_STREAM]));
    const events = await collect(connection.client.attachTurn({ turnId }));
    expect(durable(events)).toHaveLength(LAST_SEQUENCE);
    session.destroy();
  });
});

/** The last of what a stream says: trailers, or the end of its body. */
async function readToEnd(stream: Readable): Promise<string> {
  let end = "";
  stream.on("data", (chunk: Buffer) => {
    end = (end + chunk.toString("latin1")).slice(-2000);
  });
  stream.on("trailers", (trailers: object) => {
    end = JSON.stringify(trailers);
  });
  await new Promise((resolve) => stream.once("close", resolve).resume());
  return end;
}
