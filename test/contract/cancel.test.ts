import { describe, expect, it } from "vitest";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer } from "../support/test-server.ts";

describe("CancelTurn", () => {
  it("answers with the turn as it ended, as often as it is asked", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    await using reader = new EventReader(client.runTurn({ prompt: script("say hi", "hang") }));
    const { turnId, sessionId } = await reader.until("text");
    const { turn } = await client.cancelTurn({ turnId });
    expect(server.processes()).toEqual([]);
    expect(turn).toMatchObject({ state: TurnState.CANCELED, lastSequence: 3 });
    expect(turn?.endTime).toBeDefined();
    expect((await client.cancelTurn({ turnId })).turn).toEqual(turn);
    const next = await collect(client.runTurn({ prompt: "say again", sessionId }));
    expect(next.at(-1)?.kind.case).toBe("result");
    expect((await client.cancelTurn({ turnId })).turn).toEqual(turn);
  });

  it("is not undone by its caller's deadline", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    await using reader = new EventReader(client.runTurn({ prompt: script("ignore", "hang") }));
    const { turnId } = await reader.until("session");
    const canceled = refusalOf(client.cancelTurn({ turnId }, { timeoutMs: 100 }));
    expect(await canceled).toMatchObject({ code: "DeadlineExceeded" });
    expect((await reader.rest()).at(-1)?.kind).toMatchObject({ case: "error" });
    const { turn } = await client.getTurn({ turnId });
    expect(turn?.state).toBe(TurnState.CANCELED);
    expect(server.processes()).toEqual([]);
  });

  it("leaves an ended turn as it was", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const [event] = await collect(connection.client.runTurn({ prompt: "say done" }));
    const { turn } = await connection.client.cancelTurn({ turnId: event!.turnId });
    expect(turn?.state).toBe(TurnState.SUCCEEDED);
  });
});
