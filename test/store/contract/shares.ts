import { describe, expect, it } from "vitest";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import {
  type Grantee,
  ownView,
  type SessionName,
  type Share,
  type SharedAccess,
  type TurnView,
} from "../../../src/store/views.ts";
import type { OwnedStore } from "../../support/owned-store.ts";
import { bytes, ended, endOf, GONE, PRINCIPAL, removeAll, turnStart } from "./recorded.ts";
import type { OpenStore } from "./store-under-test.ts";

const EVERYTHING = { states: [], since: undefined };
const BOB: Grantee = { kind: "principal", name: "bob" };
const seenBy = (principal: string, ...roles: string[]): TurnView => ({
  ...ownView(principal),
  roles,
});
const share = (grantee: Grantee, access: SharedAccess = "read", createTime = 1): Share => ({
  grantee,
  access,
  createTime,
});

/** Everything that a view shows of a turn and its session. */
async function shownOf(store: OwnedStore, turnId: string, name: SessionName, view: TurnView) {
  const found = await Promise.all([
    store.getTurn(turnId, view).catch(() => undefined),
    store.getSession(name, view).catch(() => undefined),
    store.listTurns(name, view, 10, undefined).catch(() => undefined),
    store.listChanges(name, view, 0, 10).catch(() => undefined),
    store.listAllTurns(view, EVERYTHING, 10, undefined).then(({ items }) => items[0]),
    store.listSessions(view, 10, undefined).then(({ items }) => items[0]),
  ]);
  return found.map((one) => one !== undefined);
}

const ALL = [true, true, true, true, true, true];
const NONE = ALL.map(() => false);

/** Sessions that are shared, and who sees them. */
export function describeShares(open: OpenStore): void {
  describe("a session that is shared", () => {
    async function shared(store: OwnedStore, ...shares: Share[]) {
      const { turnId, newSession } = await ended(store);
      const name = { principal: PRINCIPAL, sessionId: newSession.sessionId };
      const { sessionKey } = await store.getSession(name, PRINCIPAL);
      for (const each of shares) await store.shareSession(sessionKey, each);
      return { turnId, name, sessionKey };
    }

    it("is seen by whom it is shared with, and by nobody else, until it is not any more", async () => {
      await using opened = await open();
      const { store } = opened;
      const roles: Grantee = { kind: "role", name: "viewer" };
      const { turnId, name, sessionKey } = await shared(store, share(BOB), share(roles));
      const shown = (view: TurnView) => shownOf(store, turnId, name, view);
      for (const view of [seenBy("bob"), seenBy("carol", "viewer"), seenBy("bob", "viewer")]) {
        expect(await shown(view)).toEqual(ALL);
      }
      // Neither is a principal a role, nor a role a principal.
      for (const view of [seenBy("carol"), seenBy("viewer"), seenBy("carol", "bob")]) {
        expect(await shown(view)).toEqual(NONE);
      }
      await store.unshareSession(sessionKey, BOB);
      await store.unshareSession(sessionKey, BOB);
      expect(await shown(seenBy("bob"))).toEqual(NONE);
      expect(await shown(seenBy("bob", "viewer"))).toEqual(ALL);
      const reopened = await opened.reopen();
      expect(await shownOf(reopened, turnId, name, seenBy("carol", "viewer"))).toEqual(ALL);
    });

    it("is listed once, however often it is shared with somebody", async () => {
      await using opened = await open();
      const { store } = opened;
      const twice = ["viewer", "admin"].map((name) => share({ kind: "role", name }));
      const { turnId, name } = await shared(store, share(BOB), ...twice);
      const view = { ...seenBy("bob", "viewer", "admin"), seesAsking: true };
      const { items } = await store.listAllTurns(view, EVERYTHING, 10, undefined);
      expect(items.map((turn) => turn.turnId)).toEqual([turnId]);
      const { items: sessions, next } = await store.listSessions(view, 1, undefined);
      expect(sessions.map(({ sessionId }) => sessionId)).toEqual([name.sessionId]);
      expect(next).toBeUndefined();
    });

    it("tells its shares, as they are now", async () => {
      await using opened = await open();
      const { store } = opened;
      const role: Grantee = { kind: "role", name: "operator" };
      const shares = [share(BOB, "read", 5), share(role, "operate", 6)];
      const { name, sessionKey } = await shared(store, ...shares);
      expect((await store.getSession(name, PRINCIPAL)).shares).toEqual(shares);
      expect(await store.listShares(sessionKey)).toEqual(shares);
      // The same again changes it, and is as old as it was.
      await store.shareSession(sessionKey, share(BOB, "operate", 9));
      expect((await store.getSession(name, PRINCIPAL)).shares[0]).toEqual(share(BOB, "operate", 5));
    });

    it("takes so many shares and no more, but changes one that is there", async () => {
      await using opened = await open();
      const { store } = opened;
      const { sessionKey } = await shared(store, share(BOB));
      const other = share({ kind: "principal", name: "carol" });
      await expect(store.shareSession(sessionKey, other, 1)).rejects.toMatchObject({
        reason: "SESSION_FULL",
      });
      await store.shareSession(sessionKey, share(BOB, "operate"), 1);
      await store.shareSession(sessionKey, other, 2);
    });

    it("has turns of others, which are its principal's to see, and count in it", async () => {
      await using opened = await open();
      const { store } = opened;
      const { name, sessionKey } = await shared(store, share(BOB, "operate"));
      const start = turnStart({ principal: "bob", sessionKey, session: name.sessionId, time: 7 });
      const { turn, session } = await store.createTurn(start);
      expect(turn).toMatchObject({ principal: "bob", sessionPrincipal: PRINCIPAL, sessionKey });
      expect(session).toMatchObject({ principal: PRINCIPAL, turnCount: 2 });
      expect(await store.getTurn(turn.turnId, PRINCIPAL)).toEqual(turn);
      for (const view of [ownView(PRINCIPAL), seenBy("bob")]) {
        const { items } = await store.listAllTurns(view, EVERYTHING, 10, undefined);
        expect(items[0]?.turnId).toBe(turn.turnId);
      }
      // Who ran it sees it as long as the session is shared with him.
      await store.unshareSession(sessionKey, BOB);
      await expect(store.getTurn(turn.turnId, "bob")).rejects.toMatchObject(GONE);
    });

    it("is not met by an id alone, and is not opened again by its key", async () => {
      await using opened = await open();
      const { store } = opened;
      const { name, sessionKey } = await shared(store, share(BOB, "operate"));
      const own = await store.createTurn(
        turnStart({ principal: "bob", session: name.sessionId, requestId: "request" }),
      );
      expect(own.session).toMatchObject({ principal: "bob", turnCount: 1 });
      expect(own.session.sessionKey).not.toBe(sessionKey);
      const inOther = turnStart({
        ...{ principal: "bob", session: name.sessionId, sessionKey, requestId: "request" },
      });
      await expect(store.createTurn(inOther)).rejects.toMatchObject({
        reason: "REQUEST_ID_REUSED",
      });
      await store.deleteSession(sessionKey, 5);
      const late = turnStart({ principal: "bob", session: name.sessionId, sessionKey });
      await expect(store.createTurn(late)).rejects.toMatchObject(GONE);
    });

    it("lists its turns by their states, as those change", async () => {
      await using opened = await open();
      const { store } = opened;
      const { name, sessionKey } = await shared(store, share(BOB));
      const { turnId } = await store
        .createTurn(turnStart({ session: name.sessionId, time: 5 }))
        .then(({ turn }) => turn);
      const list = async (state: TurnState) => {
        const filter = { states: [state], since: undefined };
        const { items } = await store.listAllTurns(seenBy("bob"), filter, 10, undefined);
        return items.map((turn) => turn.turnId);
      };
      expect(await list(TurnState.RUNNING)).toEqual([turnId]);
      const asks = { turnId, firstSequence: 1, events: bytes("ask"), time: 6 };
      await store.append({ ...asks, state: TurnState.AWAITING_APPROVAL });
      expect(await list(TurnState.RUNNING)).toEqual([]);
      expect(await list(TurnState.AWAITING_APPROVAL)).toEqual([turnId]);
      await store.append({ ...endOf(turnId), firstSequence: 2 });
      expect(await list(TurnState.SUCCEEDED)).toHaveLength(2);
      await store.removeEndedTurns(3, 10, 100);
      expect(await list(TurnState.SUCCEEDED)).toEqual([]);
      await expect(store.shareSession(sessionKey, share(BOB))).rejects.toMatchObject(GONE);
    });

    it("is shared no more once it is deleted, and another under its id is not", async () => {
      await using opened = await open();
      const { store } = opened;
      const { turnId, name, sessionKey } = await shared(store, share(BOB, "operate"));
      await store.deleteSession(sessionKey, 5);
      expect(await shownOf(store, turnId, name, seenBy("bob"))).toEqual(NONE);
      for (const change of [
        () => store.shareSession(sessionKey, share(BOB)),
        () => store.unshareSession(sessionKey, BOB),
      ]) {
        await expect(change()).rejects.toMatchObject(GONE);
      }
      const again = await store.createTurn(turnStart({ session: name.sessionId }));
      expect(await shownOf(store, again.turn.turnId, name, seenBy("bob"))).toEqual(NONE);
      const [removal] = await store.listRemovals();
      await store.recordRemoved(removal!.workspace);
      await removeAll(store);
      expect(await shownOf(store, again.turn.turnId, name, ownView(PRINCIPAL))).toEqual(ALL);
    });

    it("is watched by whom it is shared with: they hear that it is not any more", async () => {
      await using opened = await open();
      const { store } = opened;
      const { sessionKey } = await shared(store, share(BOB));
      const heard = Promise.withResolvers<void>();
      const stop = store.changes.listenToSession(sessionKey, heard.resolve);
      await store.unshareSession(sessionKey, BOB);
      await heard.promise;
      stop();
    });
  });

  describe("the list of sessions", () => {
    it("has own and shared ones by when they were active, in pages that neither repeat nor skip", async () => {
      await using opened = await open();
      const { store } = opened;
      const all: { time: number; name: SessionName }[] = [];
      // Of the same id and the same moment some are, of two principals.
      for (let n = 0; n < 12; n++) {
        const [principal, time] = [n % 2 === 0 ? PRINCIPAL : "bob", 10 + Math.floor(n / 4)];
        const sessionId = `00000000-0000-4000-8000-00000000000${Math.floor(n / 2)}`;
        const { turn } = await store.createTurn(turnStart({ principal, session: sessionId, time }));
        if (principal === PRINCIPAL) await store.shareSession(turn.sessionKey, share(BOB));
        all.push({ time, name: { principal, sessionId } });
      }
      const order = all
        .toSorted((one, other) => {
          const keyOf = ({ time, name }: typeof one) =>
            [time, name.sessionId, name.principal].join();
          return keyOf(one) < keyOf(other) ? 1 : -1;
        })
        .map(({ name }) => name);
      for (const view of [seenBy("bob"), { ...seenBy("carol"), seesAll: true }]) {
        const found: SessionName[] = [];
        for (let after: Parameters<typeof store.listSessions>[2], more = true; more; ) {
          const { items, next } = await store.listSessions(view, 1, after);
          found.push(...items.map(({ principal, sessionId }) => ({ principal, sessionId })));
          [after, more] = [next, next !== undefined];
        }
        expect(found).toEqual(order);
      }
    });

    it("has a shared one where it belongs once something happens in it", async () => {
      await using opened = await open();
      const { store } = opened;
      const [first, second] = [turnStart({ time: 1 }), turnStart({ time: 2 })];
      for (const start of [first, second]) {
        const { turn } = await store.createTurn(start);
        await store.shareSession(turn.sessionKey, share(BOB));
      }
      await store.append({ ...endOf(first.turnId), time: 9 });
      const { items } = await store.listSessions(seenBy("bob"), 10, undefined);
      expect(items.map(({ sessionId }) => sessionId)).toEqual([
        first.newSession.sessionId,
        second.newSession.sessionId,
      ]);
    });
  });

  it("shows all to who sees all", async () => {
    await using opened = await open();
    const { store } = opened;
    const { turnId, newSession } = await ended(store);
    const name = { principal: PRINCIPAL, sessionId: newSession.sessionId };
    expect(await shownOf(store, turnId, name, { ...ownView("bob"), seesAll: true })).toEqual(ALL);
    expect(await shownOf(store, turnId, name, ownView("bob"))).toEqual(NONE);
  });
}
