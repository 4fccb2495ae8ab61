import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import type { EventBatch, TurnStart } from "../../src/store/writes.ts";
import { type OwnedStore, owned } from "../support/owned-store.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";

/** What makes a call fail behind something that it has written, and before something that it is to write. */
const BROKEN_TIME = 666;
const BROKEN_STATE = 99 as TurnState;
const BROKEN_EVENT = new TextEncoder().encode("broken");

let folder: string;
let path: string;
let store: OwnedStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-store-"));
  path = join(folder, "breakglass.db");
  store = owned(await openSqliteStore(path));
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

/** Has SQLite do something in the file that the store keeps. */
async function inFile<T>(work: (database: DatabaseSync) => T): Promise<T> {
  await store.close();
  const database = new DatabaseSync(path);
  const answer = work(database);
  database.close();
  store = owned(await openSqliteStore(path));
  return answer;
}

/** @param how - ABORT fails the statement alone, ROLLBACK the whole transaction, as a full disk may. */
function breakSessions(how: "ABORT" | "ROLLBACK"): Promise<void> {
  return inFile((database) =>
    database.exec(`CREATE TRIGGER broken BEFORE UPDATE ON sessions
      WHEN NEW.last_active_time = ${BROKEN_TIME} OR NEW.remove_time = ${BROKEN_TIME}
      BEGIN SELECT RAISE(${how}, 'it is broken'); END`),
  );
}

async function begun(count: number): Promise<TurnStart[]> {
  const starts = Array.from({ length: count }, () => turnStart());
  await Promise.all(starts.map((start) => store.createTurn(start)));
  return starts;
}

const append = (start: TurnStart, firstSequence: number, ...events: Uint8Array[]) =>
  store.append({ turnId: start.turnId, firstSequence, events, time: 1 });
const end = (start: TurnStart, firstSequence: number, time: number) =>
  store.append({
    ...{ turnId: start.turnId, firstSequence, time },
    ...{ events: [new Uint8Array(1), new Uint8Array(1)], end: SUCCEEDED },
    state: TurnState.AWAITING_APPROVAL,
    steer: { principal: "alice", requestId: start.turnId, message: "look" },
  });
const statuses = async (asked: Promise<unknown>[]) =>
  (await Promise.allSettled(asked)).map(({ status }) => status);

describe("of calls that share a commit", () => {
  it.each(["ABORT", "ROLLBACK"] as const)(
    "one that fails half way (%s) leaves nothing, and the others are done",
    async (how) => {
      await breakSessions(how);
      const [one, broken, other] = (await begun(3)) as [TurnStart, TurnStart, TurnStart];
      const asked = [
        append(one, 1, new Uint8Array(1)),
        end(broken, 1, BROKEN_TIME),
        end(other, 1, 5),
      ];
      expect(await statuses(asked)).toEqual(["fulfilled", "rejected", "fulfilled"]);
      const left = await store.getTurn(broken.turnId, "alice");
      expect(left).toMatchObject({ state: TurnState.RUNNING, lastSequence: 0, endTime: undefined });
      expect(await store.readEvents(broken.turnId, 0, 1000)).toEqual([]);
      const { changeCount } = await store.getSession(left.sessionId, "alice");
      expect(changeCount).toBe(1);
      const steer = { principal: "alice", requestId: broken.turnId, message: "look" };
      expect(await store.findSteer(broken.turnId, steer)).toBeUndefined();
      expect((await store.getTurn(one.turnId, "alice")).lastSequence).toBe(1);
      expect((await store.getTurn(other.turnId, "alice")).state).toBe(TurnState.SUCCEEDED);
      // Nothing is in the way of its end.
      await end(broken, 1, 7);
    },
  );

  it.each<[string, Partial<EventBatch>]>([
    ["its end", { end: SUCCEEDED, time: BROKEN_TIME }],
    ["its state", { state: BROKEN_STATE }],
    ["its conversation", { agentSessionId: "broken" }],
    ["its message", { steer: { principal: "alice", requestId: "broken", message: "look" } }],
  ])("one event leaves nothing where %s cannot be recorded with it", async (_what, more) => {
    await inFile((database) =>
      database.exec(`CREATE TRIGGER broken_session BEFORE UPDATE ON sessions
          WHEN NEW.last_active_time = ${BROKEN_TIME} OR NEW.agent_session_id = 'broken' BEGIN SELECT RAISE(ABORT, 'broken'); END;
        CREATE TRIGGER broken_turn BEFORE UPDATE ON turns WHEN NEW.state = ${BROKEN_STATE} BEGIN SELECT RAISE(ABORT, 'broken'); END;
        CREATE TRIGGER broken_request BEFORE INSERT ON requests WHEN NEW.request_id = 'broken' BEGIN SELECT RAISE(ABORT, 'broken'); END`),
    );
    const [one, other] = (await begun(2)) as [TurnStart, TurnStart];
    const event = { firstSequence: 1, events: [new Uint8Array(1)], time: 1 };
    const asked = [
      store.append({ turnId: one.turnId, ...event, ...more }),
      store.append({ turnId: other.turnId, ...event }),
    ];
    expect(await statuses(asked)).toEqual(["rejected", "fulfilled"]);
    expect(await store.readEvents(one.turnId, 0, 1000)).toEqual([]);
    expect(await store.readEvents(other.turnId, 0, 1000)).toHaveLength(1);
    await append(one, 1, new Uint8Array(1));
  });

  it("a batch that fails at one of its events leaves none of them", async () => {
    await inFile((database) =>
      database.exec(`CREATE TRIGGER broken BEFORE INSERT ON events WHEN CAST(NEW.event AS TEXT) = 'broken'
        BEGIN SELECT RAISE(ABORT, 'it is broken'); END`),
    );
    const [one, other] = (await begun(2)) as [TurnStart, TurnStart];
    const good = new Uint8Array(1);
    const asked = [
      append(one, 1, good, good, BROKEN_EVENT),
      append(other, 1, good),
      append(one, 1, BROKEN_EVENT),
      append(one, 1, good),
      append(other, 2, good, good),
    ];
    const done = ["rejected", "fulfilled", "rejected", "fulfilled", "fulfilled"];
    expect(await statuses(asked)).toEqual(done);
    expect(await store.readEvents(one.turnId, 0, 1000)).toHaveLength(1);
    expect(await store.readEvents(other.turnId, 0, 1000)).toHaveLength(3);
  });
});

describe("what fails half way while something comes off the record", () => {
  const requests = (database: DatabaseSync) =>
    database.prepare("SELECT count(*) AS count FROM requests").get()?.count;

  it("leaves a session that is deleted as it was", async () => {
    await breakSessions("ABORT");
    const start = turnStart({ requestId: "a request" });
    await store.createTurn(start);
    await end(start, 1, 5);
    // One whose time is over goes with the next session.
    await inFile((database) =>
      database.exec(
        `INSERT INTO requests VALUES ('bob', 'forgotten', 'x', 'x', 'x', x'00', 1, NULL)`,
      ),
    );
    const before = await inFile(requests);
    const { sessionId } = start.newSession;
    const deleted = store.deleteNamed(sessionId, "alice", BROKEN_TIME);
    await expect(deleted).rejects.toMatchObject({ reason: "STORAGE" });
    expect(await inFile(requests)).toBe(before);
    expect((await store.getSession(sessionId, "alice")).turnCount).toBe(1);
    expect((await store.readEvents(start.turnId, 0, 1000)).length).toBe(2);
    await store.deleteNamed(sessionId, "alice", BROKEN_TIME + 1);
    expect(await inFile(requests)).toBe(Number(before) - 1);
  });

  it("leaves turns that are old enough as they were", async () => {
    await breakSessions("ABORT");
    const [one, other] = (await begun(2)) as [TurnStart, TurnStart];
    for (const start of [one, other]) await end(start, 1, 5);
    const removed = store.removeEndedTurns(100, 10, BROKEN_TIME);
    await expect(removed).rejects.toMatchObject({ reason: "STORAGE" });
    for (const { turnId, newSession } of [one, other]) {
      expect((await store.getTurn(turnId, "alice")).lastSequence).toBe(2);
      expect((await store.getSession(newSession.sessionId, "alice")).turnCount).toBe(1);
    }
    expect((await store.removeEndedTurns(100, 10, BROKEN_TIME + 1)).turns).toBe(2);
  });
});
