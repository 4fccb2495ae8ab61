import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { EventReader } from "../support/event-reader.ts";
import { cases, collect, durable } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer } from "../support/test-server.ts";

describe("a turn whose events are not all there, as after a rescue of a damaged store", () => {
  it("is read up to what is missing and from there on, and never as if nothing were", async () => {
    await using server = await startTestServer();
    const prompt = script("say one", "say two", "say three");
    const run = async () => {
      using connection = connect(server.url);
      const [first] = await collect(connection.client.runTurn({ prompt }));
      return first!.turnId;
    };
    const turnId = await run();
    await server.drain();
    const database = new DatabaseSync(join(server.root, "data", "breakglass.db"));
    database.exec("DELETE FROM events WHERE sequence IN (3, 4)");
    database.close();
    await server.restart();

    using connection = connect(server.url);
    const { client } = connection;
    const reader = new EventReader(client.attachTurn({ turnId }));
    await expect(reader.rest()).rejects.toThrow(/lacks events 3 to 4 of the turn: attach after 4/);
    expect(cases(durable(reader.seen))).toEqual(["session", "text"]);
    const missing = client.attachTurn({ turnId, afterSequence: 3 });
    expect(await refusalOf(missing)).toMatchObject({ reason: "STORAGE" });
    const following = await collect(client.attachTurn({ turnId, afterSequence: 4 }));
    expect(durable(following).map(({ sequence }) => sequence)).toEqual([5]);
  });
});
