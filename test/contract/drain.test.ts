import { describe, expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { connect, PROTOCOLS } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer } from "../support/test-server.ts";

describe("a server that is shut down", () => {
  // Each waits for an agent that does not heed: they do so together.
  it.concurrent.each(PROTOCOLS)(
    "ends running turns for their readers, and takes no new ones, over $name",
    async (protocol) => {
      await using server = await startTestServer();
      using connection = protocol.connect(server.url);
      const { client } = connection;
      await using running = new EventReader(client.runTurn({ prompt: script("ignore", "hang") }));
      const { sessionId } = await running.until("session");
      const draining = server.drain();
      expect(await refusalOf(client.runTurn({ prompt: "say no", sessionId }))).toMatchObject({
        code: "Unavailable",
        reason: "DRAINING",
        retryMs: expect.any(Number),
      });
      const events = await running.rest();
      expect(events.at(-1)!.kind).toMatchObject({
        case: "error",
        value: { reason: ErrorReason.SERVER_SHUTDOWN },
      });
      await draining;
      expect(server.processes()).toEqual([]);
    },
  );

  it.concurrent.each(PROTOCOLS)(
    "is down as soon as its streams have ended, also where connections are kept, over $name",
    async (protocol) => {
      await using server = await startTestServer();
      using connection = protocol.connect(server.url);
      await using running = new EventReader(connection.client.runTurn({ prompt: "hang" }));
      await running.until("session");
      const drained = server.drain().then(() => performance.now());
      await running.rest();
      const ended = performance.now();
      expect((await drained) - ended).toBeLessThan(3000);
    },
  );

  it("lets whoever asks again join, and has the turn as LOST when it is back", async () => {
    await using server = await startTestServer();
    const request = { prompt: "hang", requestId: "01890a5d-ac96-474b-bcce-b302099a8057" };
    const first = await start(server.url);
    await server.restart();
    using connection = connect(server.url);
    const again = await collect(connection.client.runTurn(request));
    expect(again[0]!.turnId).toBe(first);
    expect(again.at(-1)!.kind.case).toBe("error");
    const { turn } = await connection.client.getTurn({ turnId: first });
    expect(turn).toMatchObject({
      state: TurnState.LOST,
      errorReason: ErrorReason.SERVER_SHUTDOWN,
    });

    async function start(url: string): Promise<string> {
      using connection = connect(url);
      await using reader = new EventReader(connection.client.runTurn(request));
      return (await reader.until("session")).turnId;
    }
  });
});
