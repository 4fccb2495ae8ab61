import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { attachOverHttp1, attachOverHttp2, openHttp2 } from "../edge/raw-streams.ts";
import { bytesOf, collect, durable } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect, PROTOCOLS } from "../support/protocols.ts";
import { startScriptedHome } from "./scripted-home.ts";
import { startTwoReplicas, type TwoReplicas } from "./two-replicas.ts";

/** More than all the windows on the way. */
const LONG = Array.from({ length: 16 }, () => "big 1000000");
const STALLED = 200;
/** Far more than all windows of one stream. */
const MOST_BYTES = 8 * 1024 * 1024;
/** More than a client is given that reads nothing, in messages that are not kept until they are whole. */
const LATE = Array.from({ length: 20 }, () => "big 100000");

/** The bytes of a body, which is not read before. */
async function bytesIn(stream: Readable): Promise<number> {
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await new Promise((resolve) => stream.once("close", resolve).resume());
  return bytes;
}

describe("a long stream through the replica that is not the home", () => {
  let replicas: TwoReplicas;
  let turnId: string;
  let events: Awaited<ReturnType<typeof collect>>;
  beforeAll(async () => {
    replicas = await startTwoReplicas({ BREAKGLASS_MAX_STALLED_BYTES: String(2 ** 30) });
    using home = connect(replicas.home.url);
    events = await collect(home.client.runTurn({ prompt: script(...LONG) }));
    turnId = events[0]!.turnId;
  });
  afterAll(() => replicas[Symbol.asyncDispose]());

  it.each(PROTOCOLS)("comes whole over $name", async ({ connect: open }) => {
    using first = open(replicas.first.url);
    const attached = await collect(first.client.attachTurn({ turnId }));
    expect(bytesOf(durable(attached))).toEqual(bytesOf(durable(events)));
  });

  it.each([
    ["HTTP/2", (url: string, id: string) => attachOverHttp2(openHttp2(url), id)],
    ["HTTP/1.1", attachOverHttp1],
  ])("waits for a client that reads late, and is whole, over %s", async (_version, attach) => {
    const [direct, through] = await Promise.all(
      [replicas.home, replicas.first].map(({ url }) => attach(url, turnId)),
    );
    using first = connect(replicas.first.url);
    // Others' streams go on meanwhile.
    await collect(first.client.attachTurn({ turnId }));
    const [bytes, all] = await Promise.all([bytesIn(through!), bytesIn(direct!)]);
    // The time in the checkpoint has more digits or fewer.
    expect(Math.abs(bytes - all)).toBeLessThan(10);
  });

  it("holds up nobody else where hundreds take nothing", async () => {
    const sessions = [openHttp2(replicas.first.url), openHttp2(replicas.first.url)];
    const stalled = Array.from({ length: STALLED }, (_, n) =>
      attachOverHttp2(sessions[n % 2]!, turnId),
    );
    await Promise.all(stalled);
    using first = connect(replicas.first.url);
    const attached = await collect(first.client.attachTurn({ turnId }));
    expect(durable(attached)).toHaveLength(durable(events).length);
    for (const session of sessions) session.destroy();
  });

  it("is left at the home when its client leaves", async () => {
    await using small = await startTwoReplicas({ BREAKGLASS_MAX_TURN_SUBSCRIPTIONS: "1" });
    using home = connect(small.home.url);
    const run = await collect(home.client.runTurn({ prompt: script(...LATE) }));
    const session = openHttp2(small.first.url);
    await attachOverHttp2(session, run[0]!.turnId);
    const attach = () => collect(home.client.attachTurn({ turnId: run[0]!.turnId }));
    await expect(attach()).rejects.toMatchObject({ code: Code.ResourceExhausted });
    session.destroy();
    await eventually(
      () => attach().catch(() => []),
      (found) => found.length > 0,
    );
  });

  it("ends for a client that takes nothing for too long, and frees its place at the home", async () => {
    const stall = { BREAKGLASS_READER_STALL_SECONDS: "4" };
    await using small = await startTwoReplicas(stall, { BREAKGLASS_MAX_TURN_SUBSCRIPTIONS: "1" });
    using home = connect(small.home.url);
    const run = await collect(home.client.runTurn({ prompt: script(...LATE) }));
    const session = openHttp2(small.first.url);
    const stalled = await attachOverHttp2(session, run[0]!.turnId);
    const attach = () => collect(home.client.attachTurn({ turnId: run[0]!.turnId }));
    await eventually(
      () => attach().catch(() => []),
      (found) => found.length > 0,
      30_000,
    );
    const trailers = new Promise<object>((resolve) => stalled.once("trailers", resolve));
    await Promise.all([bytesIn(stalled), trailers]);
    expect(await trailers).toMatchObject({ "grpc-status": String(Code.Unavailable) });
    session.destroy();
  });
});

it("nothing more is read of a home than its client has room for", async () => {
  await using home = await startScriptedHome();
  const message = Buffer.alloc(16_384, "x");
  message.writeUIntBE(message.length - 5, 0, 5);
  let bytes = 0;
  home.answer = (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    const write = () => {
      do bytes += message.length;
      while (stream.write(message) && bytes < MOST_BYTES);
    };
    stream.on("drain", write);
    write();
  };
  const session = openHttp2(home.first.url);
  await attachOverHttp2(session, randomUUID());
  // Until nothing more was taken for half a second.
  let before = -1;
  await eventually(
    async () => {
      before = bytes;
      await delay(500);
      return bytes;
    },
    (now) => now === before || now >= MOST_BYTES,
  );
  expect(bytes).toBeLessThan(MOST_BYTES);
  session.destroy();
});

describe("a deadline of a call that is handed on", () => {
  it("holds at the home", async () => {
    await using replicas = await startTwoReplicas();
    using first = connect(replicas.first.url);
    const gate = createGate(replicas.home.root);
    const run = first.client.runTurn(
      { sessionId: randomUUID(), prompt: script(gate.step) },
      { timeoutMs: 500 },
    );
    await expect(collect(run)).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    gate.open();
  });

  it("is what is left of it there, and holds also where the home does not heed it", async () => {
    await using home = await startScriptedHome();
    const told: unknown[] = [];
    home.answer = (_stream, { headers }) => void told.push(headers["grpc-timeout"]);
    const session = openHttp2(home.first.url);
    const stream = session.request({
      ":method": "POST",
      ":path": "/breakglass.v1.BreakglassService/CancelTurn",
      "content-type": "application/grpc",
      "grpc-timeout": "1500m",
      te: "trailers",
    });
    let status: unknown;
    const note = (headers: object) => {
      status = (headers as Record<string, unknown>)["grpc-status"] ?? status;
    };
    stream.on("response", note).on("trailers", note).resume();
    const message = Buffer.concat([
      Buffer.from([0, 0, 0, 0, 38, 10, 36]),
      Buffer.from(randomUUID()),
    ]);
    stream.write(message.subarray(0, 7));
    // What the first replica waits for is of the same time.
    setTimeout(() => stream.end(message.subarray(7)), 200);
    await new Promise((resolve) => stream.once("close", resolve));
    expect(Number.parseInt(String(told[0]), 10)).toBeLessThanOrEqual(1400);
    expect(status).toBe(String(Code.DeadlineExceeded));
    session.destroy();
  });
});
