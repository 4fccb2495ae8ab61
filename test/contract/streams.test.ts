import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { bytesOf, cases, collect, durable, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { PROTOCOLS, type TestClient } from "../support/protocols.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server[Symbol.asyncDispose]());

describe.each(PROTOCOLS)("streams over $name", (protocol) => {
  let connection: TestClient;
  let client: TestClient["client"];
  beforeAll(() => {
    connection = protocol.connect(server.url);
    client = connection.client;
  });
  afterAll(() => connection[Symbol.dispose]());

  it("begin with a checkpoint that has the ids, before the agent has said anything", async () => {
    const gate = createGate(server.root);
    const prompt = script("silent", gate.step, "say late");
    await using reader = new EventReader(client.runTurn({ prompt }));
    const first = await reader.until("checkpoint");
    expect(first.sequence).toBe(0);
    expect(first.turnId).toMatch(UUID_V7);
    expect(first.sessionId).toMatch(UUID);
    expect(first.createTime).toBeDefined();
    expect(first.kind.value).toMatchObject({
      sequence: 0,
      state: TurnState.RUNNING,
      caughtUp: true,
    });
    gate.open();
    expect(cases(await reader.rest()).at(-1)).toBe("result");
  });

  it("carry a turn's events in order, numbered without gaps, the terminal one last", async () => {
    const prompt = script("think hm", "bash echo hi", "say hello ☃", "result done");
    const events = await collect(client.runTurn({ prompt }));
    const recorded = durable(events);
    expect(cases(recorded)).toEqual([
      "session",
      "thinking",
      "tool",
      "toolResult",
      "text",
      "result",
    ]);
    expect(recorded.map((event) => event.sequence)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(cases(events).at(0)).toBe("checkpoint");
    expect(cases(events).at(-1)).toBe("result");
    expect(new Set(events.map((event) => event.turnId)).size).toBe(1);
    expect(valuesOf(events, "text")[0]?.text).toBe("hello ☃");
    expect(valuesOf(events, "tool")[0]?.inputJson).toBe('{"command":"echo hi"}');
    expect(valuesOf(events, "toolResult")[0]?.content.trim()).toBe("hi");
    expect(valuesOf(events, "result")[0]).toMatchObject({ isError: false, result: "done" });
    expect(valuesOf(events, "result")[0]?.usage?.inputTokens).toBe(20n);
  });

  it("of a running turn go on from any sequence, with the same bytes", async () => {
    const gate = createGate(server.root);
    const prompt = script("many 5", gate.step, "many 5");
    await using reader = new EventReader(client.runTurn({ prompt }));
    while (reader.seen.at(-1)?.sequence !== 6) await reader.until("text");
    const turnId = reader.seen[0]!.turnId;
    await using attached = new EventReader(client.attachTurn({ turnId, afterSequence: 3 }));
    const checkpoint = await attached.until("checkpoint");
    expect(checkpoint.kind.value).toMatchObject({ sequence: 3, state: TurnState.RUNNING });
    gate.open();
    const [all, tail] = [durable(await reader.rest()), durable(await attached.rest())];
    expect(all).toHaveLength(12);
    expect(bytesOf(tail)).toEqual(bytesOf(all.slice(3)));
    const caughtUp = valuesOf(attached.seen, "checkpoint").filter((value) => value.caughtUp);
    expect(caughtUp).toHaveLength(1);
  });

  it("may be left without harm to the turn", async () => {
    const gate = createGate(server.root);
    const prompt = script("say one", gate.step, "say two");
    const abort = new AbortController();
    const reader = new EventReader(client.runTurn({ prompt }, { signal: abort.signal }));
    const { turnId } = await reader.until("text");
    abort.abort();
    await expect(reader.rest()).rejects.toMatchObject({ code: Code.Canceled });
    gate.open();
    const events = await collect(client.attachTurn({ turnId }));
    expect(valuesOf(events, "text").map((value) => value.text)).toEqual(["one", "two"]);
    expect(cases(events).at(-1)).toBe("result");
  });

  it("with a deadline end by it, and the turn goes on", async () => {
    const gate = createGate(server.root);
    const prompt = script(gate.step, "say after");
    const seen: string[] = [];
    const read = async () => {
      for await (const { event } of client.runTurn({ prompt }, { timeoutMs: 500 }))
        seen.push(event!.turnId);
    };
    await expect(read()).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    gate.open();
    const events = await collect(client.attachTurn({ turnId: seen[0]! }));
    expect(cases(events).at(-1)).toBe("result");
  });

  it("carry an event of the largest size, cut and saying so", async () => {
    const bytes = 5 * 1024 * 1024;
    const events = await collect(client.runTurn({ prompt: script(`big ${bytes}`) }));
    const [text] = valuesOf(events, "text");
    expect(text).toMatchObject({ truncated: true, totalBytes: BigInt(bytes) });
    expect(text!.text.length).toBeGreaterThan(2 * 1024 * 1024);
    expect(text!.text.length).toBeLessThan(3 * 1024 * 1024);
    expect(cases(events).at(-1)).toBe("result");
  });
});
