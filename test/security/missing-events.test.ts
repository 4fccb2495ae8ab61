import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { EventReader } from "../support/event-reader.ts";
import { cases, collect, durable } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { connect, PROTOCOLS } from "../support/protocols.ts";
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
    expect(await refusalOf(missing)).toMatchObject({ code: "DataLoss", reason: "DATA_LOSS" });
    const following = await collect(client.attachTurn({ turnId, afterSequence: 4 }));
    expect(durable(following).map(({ sequence }) => sequence)).toEqual([5]);
  });

  it("of which one is damaged is read up to it and from there on, by who is sent it in words", async () => {
    await using server = await startTestServer();
    using before = connect(server.url);
    const [first] = await collect(before.client.runTurn({ prompt: script("say one", "say two") }));
    const { turnId } = first!;
    await server.drain();
    const database = new DatabaseSync(join(server.root, "data", "breakglass.db"));
    database.exec("UPDATE events SET event = x'05ffffffffff' WHERE sequence = 3");
    database.close();
    await server.restart();

    const inWords = PROTOCOLS.filter(({ name }) => name.includes("JSON"));
    expect(inWords.length).toBeGreaterThan(1);
    for (const protocol of inWords) {
      using connection = protocol.connect(server.url);
      const { client } = connection;
      const reader = new EventReader(client.attachTurn({ turnId }));
      expect(await refusalOf(reader.rest())).toMatchObject({
        code: "DataLoss",
        reason: "DATA_LOSS",
        metadata: { sequence: "3" },
      });
      expect(cases(durable(reader.seen))).toEqual(["session", "text"]);
      const following = await collect(client.attachTurn({ turnId, afterSequence: 3 }));
      expect(cases(durable(following))).toEqual(["result"]);
    }
  });
});
