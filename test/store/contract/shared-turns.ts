import { describe, expect, it } from "vitest";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode, TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { TurnFilter, TurnPlace } from "../../../src/store/lists.ts";
import type { TurnRecord } from "../../../src/store/records.ts";
import {
  type Grantee,
  mayBeSeen,
  ownView,
  type Share,
  type TurnView,
} from "../../../src/store/views.ts";
import type { OwnedStore } from "../../support/owned-store.ts";
import { bytes, endOf, PRINCIPAL, turnStart } from "./recorded.ts";
import type { OpenStore } from "./store-under-test.ts";

const { RUNNING, AWAITING_APPROVAL: WAITING, SUCCEEDED } = TurnState;
const { CALLER, AGENT } = TurnOrigin;
const OPERATORS: Grantee = { kind: "role", name: "operator" };
const principal = (name: string): Grantee => ({ kind: "principal", name });
const share = (grantee: Grantee): Share => ({ grantee, access: "operate", createTime: 1 });

/** Everybody who looks, by what they see. */
const VIEWS: Readonly<Record<string, TurnView>> = {
  "whose they are": ownView("alice"),
  "somebody with whom some are shared": ownView("bob"),
  "somebody by a role": { ...ownView("dave"), roles: ["operator", "viewer"] },
  "an approver with whom some are shared": { ...ownView("bob"), seesAsking: true },
  "somebody who sees all": { ...ownView("eve"), seesAll: true },
  "a stranger": ownView("eve"),
};
const FILTERS: readonly Partial<TurnFilter>[] = [
  ...[{}, { principal: "alice" }, { principal: "bob" }, { principal: "eve" }],
  ...[{ origin: CALLER }, { origin: AGENT }, { states: [RUNNING] }, { until: 9, since: 4 }],
  { principal: "bob", origin: CALLER, states: [SUCCEEDED], until: 60 },
];
const QUERIES = [undefined, "ping", "PONG", "o"];

interface Recorded {
  readonly turn: TurnRecord;
  readonly seenBy: readonly Grantee[];
}

/** The turns of sessions that are shared, by who may see them. */
export function describeSharedTurns(open: OpenStore): void {
  describe("the list of turns of sessions that are shared", () => {
    it.each([12, 620])(
      "has what each may see and asks for, each once and in order, of %i turns",
      async (count) => {
        await using opened = await open();
        const all = await record(opened.store, count);
        for (const [who, view] of Object.entries(VIEWS)) {
          for (const filter of FILTERS) {
            for (const query of QUERIES) {
              const asked = { states: [], since: undefined, ...filter, query };
              const found = await listed(opened.store, view, asked);
              const told = `${who}: ${JSON.stringify(asked)}`;
              const expected = all.filter((one) => isAsked(one, view, asked));
              expect(new Set(found), told).toEqual(
                new Set(expected.map(({ turn }) => turn.turnId)),
              );
              expect(found.length, told).toBe(expected.length);
            }
          }
        }
      },
      120_000,
    );
  });

  describe("the changes of turns of sessions that are shared", () => {
    it("say who may see them, as it is now", async () => {
      await using opened = await open();
      const { store } = opened;
      const { turn } = await store.createTurn(turnStart());
      const seenBy = async () => (await store.listTurnChanges(0, 1)).changes[0]?.seenBy;
      expect(await seenBy()).toEqual([principal(PRINCIPAL)]);
      await store.shareSession(turn.sessionKey, share(principal("bob")));
      await store.shareSession(turn.sessionKey, share(OPERATORS));
      expect(await seenBy()).toEqual([principal(PRINCIPAL), principal("bob"), OPERATORS]);
      await store.unshareSession(turn.sessionKey, principal("bob"));
      expect(await seenBy()).toEqual([principal(PRINCIPAL), OPERATORS]);
    });

    it("come once more to whom it is shared with: what runs and what waits, and nothing that is over", async () => {
      await using opened = await open();
      const { store } = opened;
      const start = turnStart();
      const { turn } = await store.createTurn(start);
      await store.append(endOf(turn.turnId));
      const { turnId } = (
        await store.createTurn(turnStart({ session: start.newSession.sessionId }))
      ).turn;
      const approvals = [{ sequence: 1, approvalId: "a", isRequest: true }];
      const asked = { turnId, firstSequence: 1, events: bytes("asks"), time: 1 };
      await store.append({ ...asked, state: WAITING, approvals });
      const { newest } = await store.listTurnChanges(0, 100);
      const heard = Promise.withResolvers<void>();
      const stop = store.changes.listenToTurns(heard.resolve);
      await store.shareSession(turn.sessionKey, share(principal("bob")));
      await heard.promise;
      stop();
      const after = async () =>
        (await store.listTurnChanges(newest, 100)).changes.map((change) => [
          ...[change.kind, change.turn.turnId, change.turn.state, change.retoldTo],
        ]);
      const retold = [
        ["changed", turnId, WAITING, principal("bob")],
        ["approvalRequested", turnId, WAITING, principal("bob")],
      ];
      expect(await after()).toEqual(retold);
      // The same again, to do something else, is nothing new to see; and what stands is told once.
      await store.shareSession(turn.sessionKey, { ...share(principal("bob")), access: "read" });
      expect(await after()).toEqual(retold);
      const standing = await store.listStandingChanges(0, 100);
      expect(standing.changes.map(({ retoldTo }) => retoldTo)).toEqual([undefined, undefined]);
    });

    it("say whom they were shared with where they left with their turns", async () => {
      await using opened = await open();
      const { store } = opened;
      const start = turnStart();
      const { turn } = await store.createTurn(start);
      for (const grantee of [principal("bob"), OPERATORS, principal("carol")]) {
        await store.shareSession(turn.sessionKey, share(grantee));
      }
      await store.append(endOf(turn.turnId));
      await store.unshareSession(turn.sessionKey, principal("carol"));
      await store.deleteSession(turn.sessionKey, 5);
      const { removed, newest } = await store.listTurnChanges(0, 100);
      const seen = removed.flatMap(({ seenBy }) => seenBy);
      expect(new Set(seen)).toEqual(new Set([principal(PRINCIPAL), principal("bob"), OPERATORS]));
      expect(removed.every(({ cursor }) => cursor === newest)).toBe(true);
    });

    it("are heard of where it is shared no longer", async () => {
      await using opened = await open();
      const { store } = opened;
      const { turn } = await store.createTurn(turnStart());
      await store.shareSession(turn.sessionKey, share(principal("bob")));
      const heard = Promise.withResolvers<void>();
      const stop = store.changes.listenToWithdrawals(heard.resolve);
      await store.unshareSession(turn.sessionKey, principal("bob"));
      await heard.promise;
      stop();
    });
  });
}

/** Records turns in sessions of several, which they run themselves or others do with whom they are shared. */
async function record(store: OwnedStore, count: number): Promise<Recorded[]> {
  const recorded: Recorded[] = [];
  const shares = [[principal("bob")], [OPERATORS, principal("bob")], []];
  for (let n = 0; n < count; n++) {
    const owner = ["alice", "bob", "carol"][n % 3]!;
    const grantees = shares[Math.floor(n / 3) % 3]!;
    const seenBy = [principal(owner), ...grantees.filter(({ name }) => name !== owner)];
    const permissionMode = n % 4 === 0 ? PermissionMode.ASK : PermissionMode.BYPASS;
    const prompt = ["ping", "pong", "about another"][n % 7 === 0 ? 2 : n % 2]!;
    const more = { permissionMode, prompt, time: 1 + (n >> 1) };
    const start = turnStart({ principal: owner, ...more });
    const first = await store.createTurn(start);
    const { sessionKey } = first.session;
    for (const grantee of seenBy.slice(1)) await store.shareSession(sessionKey, share(grantee));
    const isEnded = n % 2 === 0;
    if (isEnded) await store.append({ ...endOf(first.turn.turnId), time: more.time });
    recorded.push({ turn: await store.getTurn(first.turn.turnId, owner), seenBy });
    if (!isEnded || seenBy.length === 1) continue;
    const { sessionId: session } = start.newSession;
    const origin = n % 8 === 0 ? AGENT : CALLER;
    const next =
      origin === AGENT
        ? turnStart({ ...more, principal: "", session: sessionKey, origin })
        : turnStart({ ...more, principal: "bob", session, sessionKey });
    recorded.push({ turn: (await store.createTurn(next)).turn, seenBy });
  }
  return recorded;
}

/** As it is asked of the store, but in memory. */
function isAsked({ turn, seenBy }: Recorded, view: TurnView, filter: TurnFilter): boolean {
  const { states, since = 0, until = Number.POSITIVE_INFINITY, query } = filter;
  return (
    mayBeSeen({ seenBy, permissionMode: turn.permissionMode }, view) &&
    (states.length === 0 || states.includes(turn.state)) &&
    turn.createTime >= since &&
    turn.createTime < until &&
    turn.principal === (filter.principal ?? turn.principal) &&
    turn.origin === (filter.origin ?? turn.origin) &&
    (query === undefined || turn.prompt.includes(query.toLowerCase()))
  );
}

/** The ids of a whole list, which is asked for in pages and is to be in its order. */
async function listed(store: OwnedStore, view: TurnView, filter: TurnFilter): Promise<string[]> {
  const found: TurnRecord[] = [];
  let after: TurnPlace | undefined;
  do {
    const page = await store.listAllTurns(view, filter, 100, after);
    found.push(...page.items);
    after = page.next;
  } while (after !== undefined);
  const times = found.map(({ createTime }) => createTime);
  expect(times).toEqual(times.toSorted((one, other) => other - one));
  return found.map(({ turnId }) => turnId);
}
