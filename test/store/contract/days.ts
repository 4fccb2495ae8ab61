import { expect, it } from "vitest";
import { endOf, ownStart, PRINCIPAL, removeAll, turnStart } from "./recorded.ts";
import type { OpenStore } from "./store-under-test.ts";

const DAY_MS = 86_400_000;
const END = { costUsd: 0.5, modelTurns: 3 };

/** What principals use by day. */
export function describeDays(open: OpenStore): void {
  const ended = (turnId: string, time: number) => {
    const batch = endOf(turnId);
    const end = { ...batch.end!, totalCostUsd: END.costUsd, modelTurns: END.modelTurns };
    return { ...batch, time, end };
  };

  it("adds up what turns used by principal and the day of their ends, over restarts and removals", async () => {
    await using opened = await open();
    const { store } = opened;
    const [first, second, others] = [turnStart(), turnStart(), turnStart({ principal: "bob" })];
    for (const start of [first, second, others]) await store.createTurn(start);
    await store.append(ended(first.turnId, DAY_MS - 1));
    await store.append(ended(second.turnId, DAY_MS));
    await store.append(ended(others.turnId, DAY_MS));
    const third = turnStart();
    await store.createTurn(third);
    await store.append(ended(third.turnId, DAY_MS + 1));
    await store.deleteNamed(third.newSession.sessionId, PRINCIPAL, DAY_MS + 2);
    await removeAll(store);
    const reopened = await opened.reopen();
    expect(await reopened.getDaySpending(PRINCIPAL, 0)).toEqual({ day: 0, ...END });
    const both = { costUsd: 1, modelTurns: 6 };
    expect(await reopened.getDaySpending(PRINCIPAL, 2 * DAY_MS - 1)).toEqual({ day: 1, ...both });
    expect(await reopened.getDaySpending("bob", DAY_MS)).toEqual({ day: 1, ...END });
    expect(await reopened.getDaySpending("bob", 0)).toMatchObject({ costUsd: 0, modelTurns: 0 });
    const { today } = await reopened.createTurn(turnStart({ time: DAY_MS }));
    expect(today).toEqual({ day: 1, ...both });
  });

  it("refuses a turn whose principal has used up the day, until the next one, and nobody else's", async () => {
    await using opened = await open();
    const { store } = opened;
    const first = turnStart({ requestId: "3c0c3bd1-7c0e-4f0a-9d5d-0a6f6f5b9c11" });
    await store.createTurn(first);
    await store.append(ended(first.turnId, 1000));
    for (const [dayLimits, limit] of [
      [{ costUsd: 0.5, modelTurns: 0 }, "cost_usd"],
      [{ costUsd: 0, modelTurns: 3 }, "model_turns"],
    ] as const) {
      const refused = store.createTurn(turnStart({ dayLimits, time: 1000 }));
      await expect(refused).rejects.toMatchObject({
        reason: "SPENDING_LIMIT",
        details: { metadata: { limit }, retryAfterMs: DAY_MS - 1000 },
      });
      await store.createTurn(turnStart({ dayLimits, time: 1000, principal: "bob" }));
      await store.createTurn(turnStart({ dayLimits, time: DAY_MS }));
      expect((await store.createTurn({ ...first, dayLimits })).joined).toBe(true);
    }
    const dayLimits = { costUsd: 0.6, modelTurns: 4 };
    await store.createTurn(turnStart({ dayLimits, time: 1000 }));
  });

  it("lets the agent's own work begin, which somebody else has asked for", async () => {
    await using opened = await open();
    const { store } = opened;
    const { session, turn } = await store.createTurn(turnStart());
    await store.append(ended(turn.turnId, 1));
    const own = { ...(await ownStart(store, session.sessionId)), time: 1, principal: "" };
    const started = await store.createTurn({ ...own, dayLimits: { costUsd: 0.1, modelTurns: 1 } });
    expect(started.today).toMatchObject(END);
  });
}
