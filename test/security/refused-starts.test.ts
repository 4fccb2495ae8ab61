import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EventReader } from "../support/event-reader.ts";
import { collect } from "../support/events.ts";
import { createGate } from "../support/gate.ts";
import { connect, type TestClient } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

let server: TestServer;
let connection: TestClient;
beforeEach(async () => {
  server = await startTestServer({ BREAKGLASS_MAX_SUBSCRIPTIONS: "1" });
  connection = connect(server.url);
});
afterEach(async () => {
  connection[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

describe("a turn whose caller is refused to read it", () => {
  it("is not started: who tries again would run it twice", async () => {
    const { client } = connection;
    const gate = createGate(server.root);
    await using running = new EventReader(client.runTurn({ prompt: gate.step }));
    const { sessionId } = await running.until("session");
    for (let tries = 0; tries < 2; tries++) {
      expect(await refusalOf(client.runTurn({ prompt: "say twice" }))).toMatchObject({
        reason: "TOO_MANY_SUBSCRIPTIONS",
        retryMs: expect.any(Number),
      });
    }
    // Its place is free again where the start itself is refused.
    gate.open();
    await running.rest();
    expect((await client.listSessions({})).sessions).toMatchObject([{ sessionId, turnCount: 1 }]);
    const requestId = randomUUID();
    const once = { prompt: "say once", sessionId, requestId };
    expect((await collect(client.runTurn(once))).at(-1)?.kind.case).toBe("result");
    for (let tries = 0; tries < 2; tries++) {
      const other = client.runTurn({ prompt: "say no", requestId });
      expect(await refusalOf(other)).toMatchObject({ reason: "REQUEST_ID_REUSED" });
    }
    expect((await collect(client.runTurn(once))).at(-1)?.kind.case).toBe("result");
  });
});
