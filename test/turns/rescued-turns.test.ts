import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import type { Store } from "../../src/store/store.ts";
import { ownView } from "../../src/store/views.ts";
import { decodeEvent, encodeEvents } from "../../src/turns/encoded-event.ts";
import { Turns } from "../../src/turns/turns.ts";
import { owned } from "../support/owned-store.ts";
import { turnStart } from "../support/turn-start.ts";
import { DrivenAgent } from "./driven-agent.ts";
import { optionsOf, text } from "./driven-turns.ts";

let root: string;
const path = () => join(root, "breakglass.db");

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "breakglass-rescued-"));
});
afterEach(() => rm(root, { recursive: true }));

/** A turn that was running, of six events, of which the store that was rescued lacks those behind the second. */
async function rescue(requestId: string) {
  const store = owned(await openSqliteStore(path()));
  const { turn } = await store.createTurn(turnStart());
  const { turnId, sessionId, principal } = turn;
  const append = (sequence: number, steered = "") => {
    const events = encodeEvents({ turnId, sessionId }, sequence, 1, [text()]);
    const steer = { principal, requestId: steered, message: "look there" };
    const batch = { turnId, firstSequence: sequence, events, time: 1 };
    return store.append(steered === "" ? batch : { ...batch, steer });
  };
  for (let sequence = 1; sequence <= 6; sequence++) {
    await append(sequence, sequence === 5 ? requestId : "");
  }
  await store.close();
  const database = new DatabaseSync(path());
  database.exec("DELETE FROM events WHERE sequence > 2");
  database.close();
  return turn;
}

async function recovered(use: (store: Store) => Promise<void>): Promise<void> {
  const store = await openSqliteStore(path());
  const turns = new Turns(optionsOf({}, store, new DrivenAgent(), join(root, "sessions")));
  try {
    await turns.recover();
    await use(store);
  } finally {
    await turns.drain(0);
    await store.close();
  }
}

describe("a running turn of which a rescued store lacks the newest events", () => {
  it("ends behind what is known to have been told, and what is missing is said", async () => {
    const { turnId, principal } = await rescue("0192");
    await recovered(async (store) => {
      const turn = await store.getTurn(turnId, ownView(principal));
      expect(turn).toMatchObject({ state: TurnState.LOST, lastSequence: 6 });
      expect(await store.readEvents(turnId, 0, 1_000_000)).toHaveLength(2);
      await expect(store.readEvents(turnId, 2, 1_000_000)).rejects.toMatchObject({
        reason: "DATA_LOSS",
        message: expect.stringMatching(/lacks events 3 to 5 of the turn: attach after 5/),
        details: { metadata: { sequence: "5" } },
      });
      const [end] = (await store.readEvents(turnId, 5, 1_000_000)).map(decodeEvent);
      expect(end).toMatchObject({ sequence: 6, kind: { case: "error" } });
    });
  });

  it("ends behind what is there where nothing tells of more", async () => {
    const { turnId, principal } = await rescue("");
    await recovered(async (store) => {
      const { lastSequence } = await store.getTurn(turnId, ownView(principal));
      expect(lastSequence).toBe(3);
      expect(await store.readEvents(turnId, 0, 1_000_000)).toHaveLength(3);
    });
  });

  it("takes no other end, and none before that", async () => {
    const { turnId } = await rescue("0192");
    const store = owned(await openSqliteStore(path()));
    expect(await store.listLeftTurns()).toMatchObject([{ turnId, lastSequence: 2, lostUpTo: 5 }]);
    const batch = { turnId, events: [new Uint8Array(1)], time: 1 };
    for (const firstSequence of [3, 5, 7]) {
      await expect(store.append({ ...batch, firstSequence })).rejects.toMatchObject({
        reason: "STORAGE",
      });
    }
    await store.append({ ...batch, firstSequence: 6 });
    await store.close();
  });
});
