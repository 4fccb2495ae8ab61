import { describe, expect, inject, it } from "vitest";
import type { WatchSessionResponse } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { bytesOf, collect, durable, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer } from "../support/test-server.ts";
import { TurnWatcher } from "../support/turn-watcher.ts";
import { makeDatabase, without } from "./databases.ts";

const cluster = inject("cluster");

describe.skipIf(cluster === undefined)(
  `what runs on one of two servers on a PostgreSQL database${without(cluster)}`,
  () => {
    it("is told of at the other as it happens: its events, its session and all turns", async () => {
      await using database = await makeDatabase(cluster!);
      const settings = { BREAKGLASS_STORE: database.url };
      await using one = await startTestServer(settings);
      await using other = await startTestServer(settings);
      using here = connect(one.url);
      using there = connect(other.url);
      using all = new TurnWatcher(there.client);
      await all.caughtUp();
      const gate = createGate(one.root);
      const prompt = script("many 20", gate.step, "say behind");
      await using reader = new EventReader(here.client.runTurn({ prompt }));
      while (valuesOf(reader.seen, "text").length < 20) await reader.until("text");
      const { turnId, sessionId } = reader.seen[0]!;

      await using remote = new EventReader(there.client.attachTurn({ turnId }));
      while (valuesOf(remote.seen, "text").length < 20) await remote.until("text");
      const changes = there.client.watchSession({ sessionId })[Symbol.asyncIterator]();
      expect((await nextChange(changes)).case).toBe("turnStarted");
      gate.open();
      await reader.rest();
      await remote.rest();
      expect(bytesOf(durable(remote.seen))).toEqual(bytesOf(durable(reader.seen)));
      expect(await nextChange(changes)).toMatchObject({ case: "turnEnded", value: { turnId } });
      await changes.return?.();
      await all.untilEnded(turnId);

      await here.client.deleteSession({ sessionId });
      await expect(collect(there.client.attachTurn({ turnId }))).rejects.toThrow(/no such turn/);
    });
  },
);

/** Signs of life are left out. */
async function nextChange(changes: AsyncIterator<WatchSessionResponse>) {
  for (;;) {
    const { done, value } = await changes.next();
    if (done) throw new Error("the stream ended");
    if (value.change.case !== undefined) return value.change;
  }
}
