import { describe, expect, it } from "vitest";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode, TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { TurnFilter } from "../../../src/store/lists.ts";
import { ownView } from "../../../src/store/views.ts";
import type { TurnStart } from "../../../src/store/writes.ts";
import { ENDED, ended, endOf, ownStart, PRINCIPAL, removeAll, turnStart } from "./recorded.ts";
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

    it("has only those of a time, of a principal, or begun by whom, where that is asked for", async () => {
      await using opened = await open();
      const { store } = opened;
      const own = [1, 2, 3].map((time) => turnStart({ time }));
      const asking = { principal: "bob", permissionMode: PermissionMode.ASK };
      const others = [turnStart({ ...asking, time: 2 }), turnStart({ principal: "bob", time: 2 })];
      for (const start of [...own, ...others]) await store.createTurn(start);
      const { sessionId: session } = own[2]!.newSession;
      const byAgent = { ...(await ownStart(store, session)), time: 4 };
      await store.append(endOf(own[2]!.turnId));
      await store.createTurn(byAgent);
      const list = async (filter: Partial<TurnFilter>, seesAsking = true) =>
        ids(
          await store.listAllTurns(
            { ...mine, seesAsking },
            { ...everything, ...filter },
            10,
            undefined,
          ),
        );
      const [one, two, three, bobs] = [...own, ...others].map(({ turnId }) => turnId);
      expect(await list({ until: 2 })).toEqual([one]);
      expect(await list({ since: 2, until: 3, principal: PRINCIPAL })).toEqual([two]);
      expect(await list({ principal: "bob" })).toEqual([bobs]);
      expect(await list({ principal: "bob" }, false)).toEqual([]);
      expect(await list({ principal: "carol" })).toEqual([]);
      expect(await list({ origin: TurnOrigin.AGENT })).toEqual([byAgent.turnId]);
      expect(await list({ origin: TurnOrigin.CALLER, since: 3 })).toEqual([three]);
      const inSession = async (filter: Partial<TurnFilter>) => {
        const asked = { ...everything, ...filter };
        return ids(await store.listTurns(session, PRINCIPAL, 10, undefined, asked));
      };
      expect(await inSession({ until: 4 })).toEqual([three]);
      expect(await inSession({ origin: TurnOrigin.AGENT })).toEqual([byAgent.turnId]);
      expect(await inSession({ principal: "bob" })).toEqual([]);
      expect(await inSession({ principal: PRINCIPAL })).toEqual([byAgent.turnId, three]);
    });

    it("has only those with a text in the beginnings of their prompts, of many as of few", async () => {
      await using opened = await open();
      const { store } = opened;
      const prompts = [
        "Restart the Gateway",
        "look at Ὀδυσσεύς",
        `${"x".repeat(4000)} seen`,
        `${"x".repeat(4096)}hidden`,
      ];
      const starts = prompts.map((prompt, time) => turnStart({ prompt, time }));
      for (const start of starts) await store.createTurn(start);
      await store.createTurn(turnStart({ prompt: "another's gateway", principal: "bob" }));
      const list = async (query: string, more: Partial<TurnFilter> = {}) =>
        ids(await store.listAllTurns(mine, { ...everything, query, ...more }, 10, undefined));
      const [gateway, name, seen] = starts.map(({ turnId }) => turnId);
      const look = async () => {
        expect(await list("gateway")).toEqual([gateway]);
        expect(await list("THE GATE")).toEqual([gateway]);
        expect(await list("gateway the")).toEqual([]);
        expect(await list("ὈΔΥΣ")).toEqual([name]);
        expect(await list("seen")).toEqual([seen]);
        expect(await list("hidden")).toEqual([]);
        expect(await list('"; %_*')).toEqual([]);
        expect(await list("t", { until: 2 })).toEqual([name, gateway]);
        expect(await list("gateway", { states: [TurnState.SUCCEEDED] })).toEqual([]);
        expect(await list("gateway", { principal: "bob" })).toEqual([]);
        expect(await list("the", { since: 1 })).toEqual([]);
      };
      await look();
      const { sessionId } = starts[0]!.newSession;
      const inSession = async (query: string) =>
        ids(await store.listTurns(sessionId, PRINCIPAL, 10, undefined, { ...everything, query }));
      expect(await inSession("gateway")).toEqual([gateway]);
      expect(await inSession("another")).toEqual([]);
      const many = Array.from({ length: 600 }, (_, time) =>
        turnStart({ prompt: "ping", time: 5 + (time >> 1) }),
      );
      await Promise.all(many.map((start) => store.createTurn(start)));
      await look();
      const found: string[] = [];
      const filter = { ...everything, query: "PING" };
      let page = await store.listAllTurns(mine, filter, 250, undefined);
      for (found.push(...ids(page)); page.next !== undefined; found.push(...ids(page))) {
        page = await store.listAllTurns(mine, filter, 250, page.next);
      }
      expect(found).toEqual(many.map(({ turnId }) => turnId).reverse());
      // What is off the record is found by no text, nor is it when it has left the store.
      for (const start of [starts[0]!, many[0]!]) await store.append(endOf(start.turnId));
      await store.deleteNamed(sessionId, PRINCIPAL, 900);
      await store.removeEndedTurns(899, 10, 900);
      for (const hasLeft of [false, true]) {
        expect(await list("gateway")).toEqual([]);
        expect((await list("ping", { until: 7 })).length).toBe(3);
        if (!hasLeft) await removeAll(store);
      }
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
