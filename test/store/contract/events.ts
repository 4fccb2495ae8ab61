import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import type { OwnedStore } from "../../support/owned-store.ts";
import { bytes, ENDED, PRINCIPAL, texts, turnStart } from "./recorded.ts";
import type { OpenStore } from "./store-under-test.ts";

/** The events of a turn, and what a refused write leaves of them. */
export function describeEvents(open: OpenStore): void {
  it("gives events back as they were appended, also when it is opened again", async () => {
    await using opened = await open();
    const { store } = opened;
    const { turnId } = (await store.createTurn(turnStart())).turn;
    await store.append({ turnId, firstSequence: 1, events: bytes("a", "b"), time: 5 });
    await store.append({ turnId, firstSequence: 3, events: bytes("c"), time: 6, end: ENDED });
    await expectAll(store);
    await expectAll(await opened.reopen());

    async function expectAll(from: OwnedStore): Promise<void> {
      expect(texts(await from.readEvents(turnId, 0, 1000))).toEqual(["a", "b", "c"]);
      expect(texts(await from.readEvents(turnId, 1, 1000))).toEqual(["b", "c"]);
      expect(texts(await from.readEvents(turnId, 3, 1000))).toEqual([]);
      expect(texts(await from.readEvents(turnId, 0, 1))).toEqual(["a"]);
      expect(await from.getTurn(turnId, PRINCIPAL)).toMatchObject({
        state: TurnState.SUCCEEDED,
        lastSequence: 3,
        endTime: 6,
      });
    }
  });

  it("takes no batch that leaves a gap, repeats, or comes after the end", async () => {
    await using opened = await open();
    const { store } = opened;
    const { turnId } = (await store.createTurn(turnStart())).turn;
    const append = (firstSequence: number, end?: typeof ENDED) =>
      store.append({ turnId, firstSequence, events: bytes("x"), time: 1, ...(end && { end }) });
    await append(1);
    for (const sequence of [1, 3, 0]) {
      await expect(append(sequence)).rejects.toMatchObject({ reason: "STORAGE" });
    }
    await append(2, ENDED);
    await expect(append(3)).rejects.toMatchObject({ reason: "STORAGE" });
    expect(await store.readEvents(turnId, 0, 1000)).toHaveLength(2);
  });

  it("does what is asked at once in the order in which it was asked", async () => {
    await using opened = await open();
    const { store } = opened;
    const { turnId } = (await store.createTurn(turnStart())).turn;
    const appended = Array.from({ length: 100 }, (_, n) =>
      store.append({ turnId, firstSequence: n + 1, events: bytes(`event ${n + 1}`), time: n }),
    );
    await Promise.all(appended);
    const read = texts(await store.readEvents(turnId, 0, 1_000_000));
    expect(read).toEqual(Array.from({ length: 100 }, (_, n) => `event ${n + 1}`));
  });

  it("does not let failed writes take others with them", async () => {
    await using opened = await open();
    const { store } = opened;
    const start = turnStart();
    const { turnId } = (await store.createTurn(start)).turn;
    const asked = Array.from({ length: 20 }, (_, n) => [
      store.append({ turnId, firstSequence: n + 1, events: bytes(`${n + 1}`), time: n }),
      // One is refused, the other is an error of the database's own: an id that is taken.
      store.append({ turnId, firstSequence: 1000, events: bytes("gap"), time: n }),
      store.createTurn({ ...turnStart(), turnId }),
    ]).flat();
    const settled = await Promise.allSettled(asked);
    expect(settled.map(({ status }) => status)).toEqual(
      Array.from({ length: 20 }, () => ["fulfilled", "rejected", "rejected"]).flat(),
    );
    expect(texts(await store.readEvents(turnId, 0, 1000))).toHaveLength(20);
    expect((await store.listSessions(PRINCIPAL, 10, undefined)).items).toHaveLength(1);
  });

  it("keeps nothing of a turn that it refuses", async () => {
    await using opened = await open();
    const { store } = opened;
    const refused = turnStart({ requestId: randomUUID(), maxSessionTurns: 0 });
    const good = turnStart();
    const waits = { processId: "waits", sessionKey: "", workspace: refused.newSession.workspace };
    const settled = await Promise.allSettled([
      store.recordProcess(waits),
      store.createTurn(refused),
      store.createTurn(good),
    ]);
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    const { items } = await store.listSessions(PRINCIPAL, 10, undefined);
    expect(items.map(({ sessionId }) => sessionId)).toEqual([good.newSession.sessionId]);
    const reopened = await opened.reopen();
    expect(await reopened.listLeftProcesses()).toEqual([waits]);
    const again = { ...refused, maxSessionTurns: 1, prompt: "something else" };
    expect((await reopened.createTurn(again)).joined).toBe(false);
  });
}
