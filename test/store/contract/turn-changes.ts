import { describe, expect, it } from "vitest";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { TurnChange, TurnChanges } from "../../../src/store/records.ts";
import type { SeenTurn } from "../../../src/store/views.ts";
import type { OwnedStore } from "../../support/owned-store.ts";
import {
  bytes,
  ENDED,
  ended,
  endOf,
  ownStart,
  PRINCIPAL,
  removeAll,
  texts,
  turnStart,
} from "./recorded.ts";
import type { OpenStore } from "./store-under-test.ts";

const { RUNNING, QUEUED, AWAITING_APPROVAL: WAITING, SUCCEEDED } = TurnState;

/** The changes of all turns. */
export function describeTurnChanges(open: OpenStore): void {
  describe("the changes of all turns", () => {
    it("are each state of each turn, and each approval with its event, in one order", async () => {
      await using opened = await open();
      const { store } = opened;
      const { first, own, queued } = await recorded(store);
      const page = await store.listTurnChanges(0, 100);
      expect(page).toMatchObject({ cursor: 10, newest: 10, removed: [] });
      expect(page.changes.map(told)).toEqual([
        [1, "started", first, RUNNING],
        [2, "changed", first, WAITING],
        [3, "approvalRequested", first, WAITING, "asks"],
        [4, "approvalResolved", first, WAITING, "decides"],
        [5, "changed", first, RUNNING],
        [6, "ended", first, SUCCEEDED],
        [7, "started", own, RUNNING],
        [8, "started", queued, QUEUED],
        [9, "ended", own, SUCCEEDED],
      ]);
      const [started, , , , , end] = page.changes;
      expect(started!.turn.endTime).toBeUndefined();
      expect(end!.turn).toEqual(await store.getTurn(first, PRINCIPAL));
      expect(page.changes.map(({ pastStates }) => pastStates.length)).toEqual([
        ...[1, 2, 2, 2, 2, 3, 1, 1, 2],
      ]);
      await store.beginTurn(queued);
      const { changes } = await store.listTurnChanges(10, 100);
      expect(changes.map(told)).toEqual([[10, "changed", queued, RUNNING]]);
    });

    it("come in parts, and from after a cursor that there was", async () => {
      await using opened = await open();
      const { store } = opened;
      await recorded(store);
      expect(await store.listTurnChanges(10, 10)).toMatchObject({ changes: [], cursor: 10 });
      const part = await store.listTurnChanges(5, 2);
      expect(part).toMatchObject({ cursor: 7, newest: 10 });
      expect(part.changes.map(({ cursor }) => cursor)).toEqual([6, 7]);
      await expect(store.listTurnChanges(11, 10)).rejects.toMatchObject({
        reason: "OUT_OF_RANGE",
        details: { metadata: { last_cursor: "10", after_cursor: "0" } },
      });
    });

    it("that stand are the newest of each turn that has not ended, and what is not decided", async () => {
      await using opened = await open();
      const { store } = opened;
      const { queued } = await recorded(store);
      const asking = turnStart();
      const { turnId } = asking;
      await store.createTurn(asking);
      await store.append(asks(turnId, ["a", "b"]));
      const stand = async (after = 0) =>
        (await store.listStandingChanges(after, 100)).changes.map(told);
      const both = [
        [8, "started", queued, QUEUED],
        [11, "changed", turnId, WAITING],
        [12, "approvalRequested", turnId, WAITING, "asks a"],
        [13, "approvalRequested", turnId, WAITING, "asks b"],
      ];
      expect(await stand()).toEqual(both);
      expect(await stand(12)).toEqual(both.slice(2));
      await store.append(decides(turnId, 3, "a"));
      expect(await stand()).toEqual([both[0], both[1], both[3]]);
      await store.append({ ...endOf(turnId), firstSequence: 4 });
      expect(await stand()).toEqual([both[0]]);
      expect(await store.listStandingChanges(0, 100)).toMatchObject({ cursor: 16, newest: 16 });
    });

    it("are the same after the store was opened again", async () => {
      await using opened = await open();
      await recorded(opened.store);
      const before = await opened.store.listTurnChanges(0, 100);
      const store = await opened.reopen();
      expect(await store.listTurnChanges(0, 100)).toEqual(before);
    });

    it("leave with their turns, and say up to where they were, to whose they were", async () => {
      await using opened = await open();
      const { store } = opened;
      const { first } = await recorded(store);
      const asking = { principal: "bob", permissionMode: PermissionMode.ASK };
      const bobs = turnStart({ ...asking, time: 50 });
      await store.createTurn(bobs);
      await store.append({ ...endOf(bobs.turnId), time: 60 });
      const { newest } = await store.listTurnChanges(0, 100);
      await store.removeEndedTurns(50, 1, 100);
      const look = async () => {
        const page: TurnChanges = await store.listTurnChanges(0, 100);
        expect(page.changes.some(({ turn }) => turn.turnId === first)).toBe(false);
        return page.removed;
      };
      const ofOne = (name: string) => ({ seenBy: [{ kind: "principal", name } as const] });
      const ours = { ...ofOne(PRINCIPAL), permissionMode: PermissionMode.BYPASS, cursor: 7 };
      expect(await look()).toEqual([ours]);
      await store.deleteNamed(bobs.newSession.sessionId, "bob", 100);
      const theirs = { ...ofOne("bob"), permissionMode: PermissionMode.ASK, cursor: newest };
      const byName = ({ seenBy }: SeenTurn) => (seenBy[0]?.name === "bob" ? 1 : 0);
      const both = async () => (await look()).toSorted((one, other) => byName(one) - byName(other));
      expect(await both()).toEqual([ours, theirs]);
      await removeAll(store);
      expect(await both()).toEqual([ours, theirs]);
      expect((await store.listTurnChanges(7, 100)).removed).toEqual([theirs]);
      // No cursor is given twice.
      await store.createTurn(turnStart());
      expect((await store.listTurnChanges(newest, 100)).changes).toHaveLength(1);
    });

    it("are told of to who listens, and then they can be read", async () => {
      await using opened = await open();
      const { store } = opened;
      let heard = Promise.withResolvers<void>();
      const stop = store.changes.listenToTurns(() => heard.resolve());
      let { cursor } = await store.listTurnChanges(0, 1);
      expect(cursor).toBe(1);
      const next = async () => {
        await heard.promise;
        heard = Promise.withResolvers();
        const { changes } = await store.listTurnChanges(cursor, 100);
        cursor = changes.at(-1)?.cursor ?? cursor;
        return changes.map(({ kind }) => kind);
      };
      const start = turnStart();
      const { turnId } = start;
      await store.createTurn(start);
      expect(await next()).toEqual(["started"]);
      await store.append(asks(turnId, ["a"]));
      expect(await next()).toEqual(["changed", "approvalRequested"]);
      await store.append(decides(turnId, 2, "a"));
      expect(await next()).toEqual(["approvalResolved"]);
      await store.append({ ...endOf(turnId), firstSequence: 3 });
      expect(await next()).toEqual(["ended"]);
      stop();
      await ended(store);
      heard.resolve();
      expect(await next()).toEqual(["started", "ended"]);
    });
  });
}

/** A turn that asked and ended, and in its session one of the agent's own behind which another waits. */
async function recorded(store: OwnedStore) {
  const start = turnStart();
  const { turnId: first } = start;
  const { sessionId: session } = start.newSession;
  await store.createTurn(start);
  await store.append({ turnId: first, firstSequence: 1, events: bytes("plain"), time: 1 });
  const approvalId = "the approval";
  const request = { sequence: 2, approvalId, isRequest: true };
  const asked = { turnId: first, firstSequence: 2, events: bytes("asks"), time: 1 };
  await store.append({ ...asked, state: WAITING, approvals: [request] });
  const decision = { sequence: 4, approvalId, isRequest: false };
  const decided = { turnId: first, firstSequence: 3, events: bytes("plain", "decides"), time: 1 };
  await store.append({ ...decided, state: RUNNING, approvals: [decision] });
  const end = { turnId: first, firstSequence: 5, events: bytes("end"), time: 2, end: ENDED };
  await store.append(end);
  const own = await ownStart(store, session);
  const queued = turnStart({ session });
  for (const next of [own, queued]) await store.createTurn(next);
  await store.append(endOf(own.turnId));
  return { first, own: own.turnId, queued: queued.turnId };
}

function asks(turnId: string, approvalIds: readonly string[]) {
  const events = bytes(...approvalIds.map((id) => `asks ${id}`));
  const approvals = approvalIds.map((approvalId, index) => {
    return { sequence: index + 1, approvalId, isRequest: true };
  });
  return { turnId, firstSequence: 1, events, time: 1, state: WAITING, approvals };
}

function decides(turnId: string, sequence: number, approvalId: string) {
  const approvals = [{ sequence, approvalId, isRequest: false }];
  return { turnId, firstSequence: sequence, events: bytes("decides"), time: 1, approvals };
}

/** A change in short, by its number: the first has the cursor 2. */
function told({ cursor, kind, turn, event }: TurnChange) {
  const what = [cursor - 1, kind, turn.turnId, turn.state];
  return event === undefined ? what : [...what, ...texts([event])];
}
