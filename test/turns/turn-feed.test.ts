import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { ownView } from "../../src/store/views.ts";
import { TurnFeed } from "../../src/turns/turn-feed.ts";
import { type TurnNews, TurnWatch } from "../../src/turns/turn-watch.ts";
import { type OwnedStore, owned } from "../support/owned-store.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";

const WATCHERS = 100;

let folder: string;
let store: OwnedStore;
/** How often changes were read. */
let reads = 0;
let feed: TurnFeed;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-feed-"));
  const opened = await openSqliteStore(join(folder, "breakglass.db"));
  store = owned(opened);
  reads = 0;
  feed = new TurnFeed({
    ...opened,
    listTurnChanges(...args) {
      reads++;
      return opened.listTurnChanges(...args);
    },
  });
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

/** Watches as somebody, until it is left; what it was told is on the way to `told`. */
function watch(principal: string, seesAsking = false, afterCursor = 0) {
  const left = new AbortController();
  const told: TurnNews[] = [];
  const filter = { states: [], since: undefined };
  const view = { ...ownView(principal), seesAsking };
  const watched = { view, filter, session: undefined };
  let next = Promise.withResolvers<void>();
  const turnWatch = new TurnWatch(feed, watched, afterCursor, left.signal, () => {});
  const ended = (async () => {
    for await (const news of turnWatch.news()) {
      // A sign of life says nothing new.
      if (news.change === undefined && !news.caughtUp) continue;
      told.push(news);
      next.resolve();
    }
  })();
  return {
    told,
    ended,
    leave: () => left.abort(),
    async until(isSo: () => boolean) {
      while (!isSo()) {
        next = Promise.withResolvers();
        await Promise.race([next.promise, ended]);
      }
    },
  };
}

describe("a change", () => {
  it("is read once for a hundred who watch, and told to those who may see it", async () => {
    const watchers = Array.from({ length: WATCHERS }, (_, n) =>
      watch(n % 2 === 0 ? "alice" : "bob"),
    );
    await Promise.all(watchers.map((one) => one.until(() => one.told.length > 0)));
    reads = 0;
    const alices = watchers.filter((_, n) => n % 2 === 0);
    const start = turnStart();
    for (let changes = 0; changes < 2; changes++) {
      if (changes === 0) await store.createTurn(start);
      else {
        const events = [new Uint8Array(1)];
        const batch = { turnId: start.turnId, firstSequence: 1, events, time: 2 };
        await store.append({ ...batch, end: SUCCEEDED });
      }
      await Promise.all(alices.map((one) => one.until(() => one.told.length > changes + 1)));
    }
    // Once for those who stood there, and once more where some had gone on before others were woken.
    expect(reads).toBeLessThanOrEqual(6);
    expect(watchers.flatMap(({ told }, n) => (n % 2 === 0 ? [] : told.slice(1)))).toEqual([]);
    for (const one of watchers) one.leave();
    await Promise.all(watchers.map(({ ended }) => ended));
  });

  it("that comes while others are read is told too", async () => {
    const watcher = watch("alice");
    await watcher.until(() => watcher.told.length > 0);
    const starts = Array.from({ length: 250 }, () => turnStart());
    await Promise.all(starts.map((start) => store.createTurn(start)));
    await watcher.until(() => watcher.told.length > starts.length);
    const ids = watcher.told.slice(1).map(({ change }) => change?.turn.turnId);
    expect(ids).toEqual(starts.map(({ turnId }) => turnId));
    watcher.leave();
    await watcher.ended;
  });

  it("that comes when all before it was read is told too", async () => {
    const watchers = [watch("alice"), watch("alice")];
    for (let turns = 0; turns < 3; turns++) {
      await Promise.all(watchers.map((one) => one.until(() => one.told.length > turns)));
      // What they asked for behind that has been answered.
      await store.listLeftTurns();
      await store.listLeftTurns();
      await store.createTurn(turnStart());
    }
    await Promise.all(watchers.map((one) => one.until(() => one.told.length > 3)));
    for (const one of watchers) one.leave();
    await Promise.all(watchers.map(({ ended }) => ended));
  });

  it("is told to an approver where its turn asks, and else to nobody but whose it is", async () => {
    const [approver, other] = [watch("bob", true), watch("bob")];
    await Promise.all([approver, other].map((one) => one.until(() => one.told.length > 0)));
    await store.createTurn(turnStart());
    const asking = turnStart({ permissionMode: PermissionMode.ASK });
    await store.createTurn(asking);
    await approver.until(() => approver.told.length > 1);
    expect(approver.told[1]?.change?.turn.turnId).toBe(asking.turnId);
    expect(other.told).toHaveLength(1);
    for (const one of [approver, other]) one.leave();
  });

  it("is told to nobody any more who had it read to them and may see it no longer", async () => {
    const starts = [turnStart(), turnStart()];
    const keys: string[] = [];
    const bob = { kind: "principal", name: "bob" } as const;
    for (const start of starts) {
      const { turn } = await store.createTurn(start);
      keys.push(turn.sessionKey);
      const share = { grantee: bob, access: "read", createTime: 1 } as const;
      await store.shareSession(turn.sessionKey, share);
    }
    const left = new AbortController();
    const filter = { states: [], since: undefined };
    const watched = { view: ownView("bob"), filter, session: undefined };
    const news = new TurnWatch(feed, watched, 0, left.signal, () => {}).news();
    const first = await news.next();
    expect(first.value?.change?.turn.turnId).toBe(starts[0]!.turnId);
    // Both were read. The second is not told yet.
    await store.unshareSession(keys[1]!, bob);
    const second = await news.next();
    expect(second.value).toMatchObject({ caughtUp: true });
    expect(second.value?.change).toBeUndefined();
    left.abort();
    await news.return(undefined);
  });

  it("is told once more to whom it is shared with since, and to nobody who was told of it", async () => {
    const { turn } = await store.createTurn(turnStart());
    const [alice, bob] = [watch("alice"), watch("bob")];
    for (const one of [alice, bob]) await one.until(() => one.told.at(-1)?.caughtUp === true);
    const grantee = { kind: "principal", name: "bob" } as const;
    await store.shareSession(turn.sessionKey, { grantee, access: "read", createTime: 1 });
    await bob.until(() => bob.told.length > 1);
    expect(bob.told[1]?.change).toMatchObject({ kind: "started", turn: { turnId: turn.turnId } });
    const next = turnStart();
    await store.createTurn(next);
    await alice.until(() => alice.told.length > 2);
    expect(alice.told[2]?.change?.turn.turnId).toBe(next.turnId);
    for (const one of [alice, bob]) one.leave();
  });

  it("that was removed ends the watch of who may have missed it, and of nobody else", async () => {
    for (const principal of ["alice", "bob"]) {
      const start = turnStart({ principal });
      await store.createTurn(start);
      const events = [new Uint8Array(1)];
      const batch = { turnId: start.turnId, firstSequence: 1, events, time: 2, end: SUCCEEDED };
      await store.append(batch);
    }
    await store.removeEndedTurns(100, 1, 100);
    const [alice, bob] = [watch("alice", false, 2), watch("bob", false, 2)];
    await expect(alice.ended).rejects.toMatchObject({
      reason: "OUT_OF_RANGE",
      details: { metadata: { after_cursor: "0" } },
    });
    await bob.until(() => bob.told.length > 2);
    expect(bob.told.map(({ change }) => change?.kind)).toEqual(["started", "ended", undefined]);
    bob.leave();
  });
});
