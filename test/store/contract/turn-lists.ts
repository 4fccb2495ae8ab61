import { describe, expect, it } from "vitest";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import { ownView } from "../../../src/store/lists.ts";
import type { TurnStart } from "../../../src/store/writes.ts";
import { ENDED, ended, endOf, PRINCIPAL, turnStart } from "./recorded.ts";
import type { OpenStore } from "./store-under-test.ts";

/** The turns of all sessions, by who may see them. */
export function describeTurnLists(open: OpenStore): void {
  describe("the list of all turns", () => {
    const mine = ownView(PRINCIPAL);
    const everything = { states: [], since: undefined };
    const ids = (page: { items: readonly { turnId: string }[] }) =>
      page.items.map(({ turnId }) => turnId);

    it("has those of one's own sessions, newest first, in pages that neither repeat nor skip", async () => {
      await using opened = await open();
      const { store } = opened;
      const starts: TurnStart[] = [];
      // Two at a time are of the same moment.
      for (let n = 0; n < 7; n++) {
        const start = turnStart({ time: 100 + Math.floor(n / 2) });
        await store.createTurn(start);
        if (n % 3 === 0) await store.append(endOf(start.turnId));
        starts.push(start);
      }
      await store.createTurn(turnStart({ principal: "bob", time: 103 }));
      const order = starts.toSorted(
        (one, other) => other.time - one.time || (other.turnId < one.turnId ? -1 : 1),
      );
      const found: string[] = [];
      let page = await store.listAllTurns(mine, everything, 3, undefined);
      for (found.push(...ids(page)); page.next !== undefined; found.push(...ids(page))) {
        expect(page.items).toHaveLength(3);
        page = await store.listAllTurns(mine, everything, 3, page.next);
      }
      expect(found).toEqual(order.map(({ turnId }) => turnId));
      const [newest] = (await store.listAllTurns(mine, everything, 1, undefined)).items;
      expect(newest).toEqual(await store.getTurn(order[0]!.turnId, PRINCIPAL));
    });

    it("has only those of a state, or from a time on, where that is asked for", async () => {
      await using opened = await open();
      const { store } = opened;
      const starts = [1, 2, 3, 4].map((time) => turnStart({ time }));
      for (const start of starts) await store.createTurn(start);
      const [one, two, three, four] = starts.map(({ turnId }) => turnId) as [
        string,
        string,
        string,
        string,
      ];
      await store.append(endOf(one));
      await store.append({ ...endOf(three), end: { ...ENDED, state: TurnState.FAILED } });
      const list = async (states: TurnState[], since?: number) =>
        ids(await store.listAllTurns(mine, { states, since }, 10, undefined));
      expect(await list([TurnState.RUNNING])).toEqual([four, two]);
      expect(await list([TurnState.FAILED, TurnState.SUCCEEDED])).toEqual([three, one]);
      expect(await list([], 3)).toEqual([four, three]);
      expect(await list([TurnState.RUNNING], 3)).toEqual([four]);
      expect(await list([TurnState.LOST])).toEqual([]);
      const { sessionId } = starts[2]!.newSession;
      const inSession = async (states: TurnState[], since?: number) =>
        ids(await store.listTurns(sessionId, PRINCIPAL, 10, undefined, { states, since }));
      expect(await inSession([TurnState.FAILED])).toEqual([three]);
      expect(await inSession([TurnState.RUNNING])).toEqual([]);
      expect(await inSession([], 3)).toEqual([three]);
      expect(await inSession([], 4)).toEqual([]);
    });

    it("has others' turns for an approver alone, and only where they ask", async () => {
      await using opened = await open();
      const { store } = opened;
      const asking = turnStart({ time: 1, permissionMode: PermissionMode.ASK });
      const silent = turnStart({ time: 2 });
      const own = turnStart({ time: 3, principal: "bob", permissionMode: PermissionMode.ASK });
      for (const start of [asking, silent, own]) await store.createTurn(start);
      const list = async (seesAsking: boolean) =>
        ids(await store.listAllTurns({ ...ownView("bob"), seesAsking }, everything, 10, undefined));
      expect(await list(true)).toEqual([own.turnId, asking.turnId]);
      expect(await list(false)).toEqual([own.turnId]);
    });

    it("has none that is off the record, by itself or with its session", async () => {
      await using opened = await open();
      const { store } = opened;
      const kept = turnStart({ time: 5 });
      await store.createTurn(kept);
      const [old, deleted] = [await ended(store), await ended(store)];
      await store.deleteNamed(deleted.newSession.sessionId, PRINCIPAL, 6);
      expect(ids(await store.listAllTurns(mine, everything, 10, undefined))).toEqual([
        kept.turnId,
        old.turnId,
      ]);
      await store.removeEndedTurns(100, 10, 100);
      expect(ids(await store.listAllTurns(mine, everything, 10, undefined))).toEqual([kept.turnId]);
    });
  });
}
