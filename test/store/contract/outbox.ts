import { expect, it } from "vitest";
import type { Notification } from "../../../src/store/outbox.ts";
import { bytes, ENDED, PRINCIPAL, turnStart } from "./recorded.ts";
import type { OpenStore } from "./store-under-test.ts";

const MANY = 100;
const END: readonly Notification[] = [{ kind: "turn.ended", sequence: 1 }];

/** What is yet to be told outside. */
export function describeOutbox(open: OpenStore): void {
  it("has what is to be told of an event exactly where it has the event, also when it is opened again", async () => {
    await using opened = await open();
    const { store } = opened;
    const { owner } = store.lease;
    const { turnId } = (await store.createTurn(turnStart())).turn;
    const notifications: Notification[] = [
      { kind: "approval.requested", sequence: 2 },
      { kind: "approval.resolved", sequence: 3 },
    ];
    const refused = store.append({
      turnId,
      firstSequence: 9,
      events: bytes("gap"),
      notifications,
      time: 4,
    });
    await expect(refused).rejects.toMatchObject({ reason: "STORAGE" });
    await store.append({
      turnId,
      firstSequence: 1,
      events: bytes("a", "b", "c"),
      notifications,
      time: 5,
    });
    const again = await opened.reopen();
    const { items, nextTime } = await again.listUntold(again.lease.owner, 5, Infinity, MANY);
    expect(owner).toBe(again.lease.owner);
    expect(items).toEqual(
      [
        { key: expect.any(Number), kind: "approval.requested", sequence: 2, ...common },
        { key: expect.any(Number), kind: "approval.resolved", sequence: 3, ...common },
      ].map((item) => ({ ...item, turnId })),
    );
    expect(nextTime).toBeUndefined();
  });

  it("has nothing to tell that was told, and what was tried in vain when it is due again", async () => {
    await using opened = await open();
    const { store } = opened;
    const { owner } = store.lease;
    for (let n = 0; n < 3; n++) {
      const { turnId } = (await store.createTurn(turnStart())).turn;
      await store.append({
        turnId,
        firstSequence: 1,
        events: bytes("e"),
        notifications: END,
        time: n,
        end: ENDED,
      });
    }
    const { items } = await store.listUntold(owner, 10, Infinity, 2);
    expect(items.map(({ time }) => time)).toEqual([0, 1]);
    const [first, second] = items;
    await store.recordTold(first!.key);
    await store.recordTold(first!.key);
    await store.recordUntold(second!.key, 50);
    await store.recordUntold(first!.key, 50);
    const now = await store.listUntold(owner, 10, Infinity, MANY);
    expect(now.items.map(({ time }) => time)).toEqual([2]);
    expect(now.nextTime).toBe(50);
    const later = await store.listUntold(owner, 50, Infinity, MANY);
    expect(later.items.map(({ time, attempts }) => [time, attempts])).toEqual([
      [2, 0],
      [1, 1],
    ]);
    // A clock that was set back.
    expect((await store.listUntold(owner, 10, 49, MANY)).items).toHaveLength(2);
    expect((await store.listUntold("another", 50, Infinity, MANY)).items).toEqual([]);
  });

  it("gives up the oldest, so many at once", async () => {
    await using opened = await open();
    const { store } = opened;
    const { owner } = store.lease;
    for (let n = 0; n < 5; n++) {
      const { turnId } = (await store.createTurn(turnStart())).turn;
      await store.append({
        turnId,
        firstSequence: 1,
        events: bytes("e"),
        notifications: END,
        time: n,
        end: ENDED,
      });
    }
    expect(await store.giveUpUntold("another", 3, MANY)).toBe(0);
    expect(await store.giveUpUntold(owner, 3, 2)).toBe(2);
    expect(await store.giveUpUntold(owner, 3, 2)).toBe(1);
    const { items } = await store.listUntold(owner, 10, Infinity, MANY);
    expect(items.map(({ time }) => time)).toEqual([3, 4]);
  });

  it("says of what is off the record that nothing is left to be told", async () => {
    await using opened = await open();
    const { store } = opened;
    const { turn } = await store.createTurn(turnStart());
    const { turnId, sessionId } = turn;
    await store.append({
      turnId,
      firstSequence: 1,
      events: bytes("e"),
      notifications: END,
      time: 1,
      end: ENDED,
    });
    await store.deleteNamed(sessionId, PRINCIPAL, 2);
    const list = () => store.listUntold(store.lease.owner, 10, Infinity, MANY);
    expect((await list()).items).toMatchObject([{ turnId, principal: undefined }]);
    while (await store.removeSome());
    expect((await list()).items).toMatchObject([{ turnId, principal: undefined }]);
  });
}

const common = { principal: PRINCIPAL, time: 5, attempts: 0 };
