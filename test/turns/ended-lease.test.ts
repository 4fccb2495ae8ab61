import { describe, expect, it } from "vitest";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { ownView } from "../../src/store/views.ts";
import { encodeEvents } from "../../src/turns/encoded-event.ts";
import { terminalOf } from "../../src/turns/end-causes.ts";
import { endRecordOf } from "../../src/turns/turn-end.ts";
import { callerNamed } from "../support/caller.ts";
import { cases } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import {
  type DrivenTurns,
  PRINCIPAL,
  request,
  result,
  session,
  startDrivenTurns,
  text,
} from "./driven-turns.ts";
import { pullSubscription } from "./pulled-subscription.ts";

const FENCED = { reason: "FENCED", details: { retryAfterMs: expect.any(Number) } };

describe("a turn whose server's lease has ended", () => {
  it.each([
    ["says something", [text()]],
    ["says something and asks", [text(), request("a")]],
    ["names another conversation", [session("another")]],
    ["ends", [result()]],
    ["names another conversation and ends", [session("another"), result()]],
  ])("is stopped where its agent %s, and nothing of that is on record", async (_, batch) => {
    await using driven = await startDrivenTurns({ maxConcurrentTurns: 1 });
    const { turnId, run } = await driven.begin();
    run.give([text()]);
    await eventually(
      () => driven.readLog(turnId),
      ({ length }) => length === 1,
    );
    const from = { afterSequence: 1, textDeltas: false };
    const { signal } = new AbortController();
    const reader = pullSubscription(() =>
      driven.turns.subscribe(turnId, from, callerNamed(PRINCIPAL), signal),
    );
    await reader.next();
    await driven.loseLease();
    const told = rest(reader);
    run.give(batch);
    if (batch.at(-1)?.case === "result") run.leave();
    await expect(told).rejects.toMatchObject(FENCED);
    // It is let go of: its end is another server's to record, and it leaves its place to others.
    await isLetGo(driven);
    await driven.turns.drain(0);
    expect(run.isOver).toBe(true);
    expect(cases(await driven.readLog(turnId))).toEqual(["text"]);
    const record = await driven.store.getTurn(turnId, ownView(PRINCIPAL));
    expect(record).toMatchObject({ state: TurnState.RUNNING, endTime: undefined });
  });

  it("is not taken for one that could be canceled", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    await driven.loseLease();
    await expect(driven.turns.cancel(turnId, callerNamed(PRINCIPAL))).rejects.toMatchObject(FENCED);
    await driven.turns.drain(0);
    expect(run.isOver).toBe(true);
    expect(await driven.readLog(turnId)).toEqual([]);
  });
});

describe("a turn that this server was stopped in", () => {
  it("is read on to the end that another server records, and cannot be canceled before", async () => {
    await using driven = await startDrivenTurns({ maxConcurrentTurns: 1 });
    const { turnId, run } = await driven.begin();
    run.give([text()]);
    const from = { afterSequence: 0, textDeltas: false };
    const { signal } = new AbortController();
    const read = () =>
      pullSubscription(() => driven.turns.subscribe(turnId, from, callerNamed(PRINCIPAL), signal));
    const reader = read();
    await reader.next();
    await reader.next();
    await driven.loseLease();
    run.give([text()]);
    await expect(rest(reader)).rejects.toMatchObject(FENCED);

    await isLetGo(driven);
    const { asStore } = driven.store;
    const again = read();
    await again.next();
    await expect(driven.turns.cancel(turnId, callerNamed(PRINCIPAL))).rejects.toMatchObject(FENCED);
    const lost = terminalOf({ case: "restart", wasQueued: false });
    const { sessionId } = await asStore.getTurn(turnId, ownView(PRINCIPAL));
    const events = encodeEvents({ turnId, sessionId }, 2, 1, [lost]);
    const batch = { turnId, firstSequence: 2, events, time: 1, end: endRecordOf(lost) };
    await asStore.append(batch, asStore.lease.epoch);
    await rest(again);
    expect(cases(await driven.readLog(turnId))).toEqual(["text", "error"]);
    expect(await driven.turns.cancel(turnId, callerNamed(PRINCIPAL))).toMatchObject({
      state: TurnState.LOST,
    });
  });
});

/** The one turn that may run leaves its place to another. */
async function isLetGo(driven: DrivenTurns): Promise<void> {
  const next = await eventually(
    () => driven.begin().catch(() => undefined),
    (begun) => begun !== undefined,
  );
  expect(next).toBeDefined();
}

async function rest(reader: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of reader);
}
