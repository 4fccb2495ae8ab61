import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EventReader } from "../support/event-reader.ts";
import { collect } from "../support/events.ts";
import { createGate } from "../support/gate.ts";
import { PROTOCOLS, type TestClient } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const domain = "breakglass";

describe.each(PROTOCOLS)("refusals over $name", (protocol) => {
  let server: TestServer;
  let connection: TestClient;
  beforeAll(async () => {
    server = await startTestServer({
      BREAKGLASS_MAX_CONCURRENT_TURNS: "2",
      BREAKGLASS_MAX_SUBSCRIPTIONS: "3",
    });
    connection = protocol.connect(server.url);
  });
  afterAll(async () => {
    connection[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });

  it("keep a second turn out of a session whose turn runs", async () => {
    const { client } = connection;
    const gate = createGate(server.root);
    await using running = new EventReader(client.runTurn({ prompt: gate.step }));
    const { turnId, sessionId } = await running.until("checkpoint");
    expect(await refusalOf(client.runTurn({ prompt: "say no", sessionId }))).toEqual({
      code: "FailedPrecondition",
      reason: "TURN_IN_PROGRESS",
      domain,
      metadata: { turn_id: turnId },
    });
    gate.open();
    await running.rest();
    expect((await client.getSession({ sessionId })).session).toMatchObject({ turnCount: 1 });
  });

  it("bound the streams that are open, and count those that were left no longer", async () => {
    const { client } = connection;
    const gate = createGate(server.root);
    await using running = new EventReader(client.runTurn({ prompt: gate.step }));
    const { turnId } = await running.until("checkpoint");
    for (let round = 1; round <= 3; round++) {
      const leave = new AbortController();
      const open = Array.from({ length: 2 }, () => {
        return new EventReader(client.attachTurn({ turnId }, { signal: leave.signal }));
      });
      await untilAdmitted(open);
      expect(await refusalOf(client.attachTurn({ turnId }))).toMatchObject({
        code: "ResourceExhausted",
        reason: "TOO_MANY_SUBSCRIPTIONS",
        retryMs: expect.any(Number),
      });
      leave.abort();
      for (const reader of open) await expect(reader.rest()).rejects.toThrow();
    }
    gate.open();
    await running.rest();

    async function untilAdmitted(readers: EventReader[]): Promise<void> {
      for (const reader of readers) await reader.until("checkpoint");
    }
  });

  it("tell a request_id that was used for something else from one that is tried again", async () => {
    const { client } = connection;
    const first = { prompt: "say one", requestId: randomUUID(), model: "m", agent: "breakglass" };
    const events = await collect(client.runTurn(first));
    const { turnId, sessionId } = events[0]!;
    const others = [
      { prompt: "say two" },
      { model: "n" },
      { model: "" },
      { agent: "a" },
      { sessionId: randomUUID() },
    ];
    for (const other of others) {
      expect(await refusalOf(client.runTurn({ ...first, ...other }))).toEqual({
        code: "AlreadyExists",
        reason: "REQUEST_ID_REUSED",
        domain,
      });
    }
    for (const same of [{}, { sessionId }, { requestId: first.requestId.toUpperCase() }]) {
      const again = await collect(client.runTurn({ ...first, ...same }));
      expect(again[0]!.turnId).toBe(turnId);
    }
    expect((await client.listTurns({ sessionId })).turns).toHaveLength(1);
  });

  it("answer for what was never there as for what is not visible", async () => {
    const { client } = connection;
    const [turnId, sessionId] = [randomUUID(), randomUUID()];
    const calls = [
      () => client.attachTurn({ turnId }),
      () => client.cancelTurn({ turnId }),
      () => client.listTurns({ sessionId }),
      () => client.deleteSession({ sessionId }),
    ];
    for (const call of calls) {
      expect(await refusalOf(call())).toEqual({ code: "NotFound", reason: "NOT_FOUND", domain });
    }
  });

  it.each([
    ["a NUL", { prompt: "a\0b" }, "prompt"],
    ["white space alone", { prompt: " \n\t" }, "prompt"],
    ["a path as a session", { prompt: "x", sessionId: "../../etc" }, "session_id"],
    ["10 KB as a session", { prompt: "x", sessionId: "a".repeat(10_000) }, "session_id"],
    ["a model of 257 characters", { prompt: "x", model: "m".repeat(257) }, "model"],
    ["an agent with a newline", { prompt: "x", agent: "a\n" }, "agent"],
    ["a timeout below zero", { prompt: "x", timeout: { seconds: -1n, nanos: 0 } }, "timeout"],
  ])("name the field for %s", async (_what, request, field) => {
    expect(await refusalOf(connection.client.runTurn(request))).toEqual({
      code: "InvalidArgument",
      reason: "INVALID_ARGUMENT",
      domain,
      fields: [field],
    });
    expect(await refusalOf(connection.client.listSessions({ pageSize: -1 }))).toMatchObject({
      fields: ["page_size"],
    });
  });
});
