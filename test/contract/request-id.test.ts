import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { EventReader } from "../support/event-reader.ts";
import { bytesOf, collect, durable } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer } from "../support/test-server.ts";

describe("a request_id", () => {
  it("makes one turn of requests that come at once, on several connections", async () => {
    await using server = await startTestServer();
    using one = connect(server.url);
    using two = connect(server.url);
    const request = { prompt: "bash echo ran >> ran; cat ran", requestId: randomUUID() };
    const streams = await Promise.all(
      [one, two, one, two, one, two].map(({ client }) => collect(client.runTurn(request))),
    );
    const [first, ...others] = streams.map((events) => bytesOf(durable(events)));
    for (const other of others) expect(other).toEqual(first);
    const { sessions } = await one.client.listSessions({});
    expect(sessions.map(({ turnCount }) => turnCount)).toEqual([1]);
  });

  it("joins a running turn from its first event, where a new one would be refused", async () => {
    await using server = await startTestServer({ BREAKGLASS_MAX_CONCURRENT_TURNS: "1" });
    using connection = connect(server.url);
    const { client } = connection;
    const gate = createGate(server.root);
    const sessionId = randomUUID();
    const prompt = script("say early", gate.step, "say late");
    const request = { sessionId, prompt, requestId: randomUUID() };
    await using started = new EventReader(client.runTurn(request));
    await started.until("text");
    await using joined = new EventReader(client.runTurn(request));
    await joined.until("text");
    expect(await refusalOf(client.runTurn({ prompt: "say no" }))).toMatchObject({
      reason: "TOO_MANY_TURNS",
      retryMs: expect.any(Number),
    });
    gate.open();
    const [all, same] = [await started.rest(), await joined.rest()];
    expect(bytesOf(durable(same))).toEqual(bytesOf(durable(all)));
    expect(durable(all)).toHaveLength(4);
  });

  it("joins a turn of a server before", async () => {
    await using server = await startTestServer();
    const request = { prompt: "say once", requestId: randomUUID() };
    const before = await collectFrom(server.url);
    await server.restart();
    expect(bytesOf(await collectFrom(server.url))).toEqual(bytesOf(before));

    async function collectFrom(url: string) {
      using connection = connect(url);
      return durable(await collect(connection.client.runTurn(request)));
    }
  });
});
