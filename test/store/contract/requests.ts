import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import { bytes, endOf, PRINCIPAL, turnStart } from "./recorded.ts";
import type { OpenStore } from "./store-under-test.ts";

/** Requests and messages that come twice. */
export function describeRequests(open: OpenStore): void {
  it("joins requests of the same id and content, before it refuses for any other reason", async () => {
    await using opened = await open();
    const { store } = opened;
    const first = turnStart({ requestId: randomUUID() });
    const { turn } = await store.createTurn(first);
    const refusal = { reason: "DRAINING", message: "closing" } as const;
    const again = { ...turnStart(), requestId: first.requestId, refusal };
    expect(await store.createTurn(again)).toMatchObject({ joined: true, turn });
    const reused = { ...again, prompt: "something else" };
    await expect(store.createTurn(reused)).rejects.toMatchObject({ reason: "REQUEST_ID_REUSED" });
    const another = { ...again, principal: "bob" };
    await expect(store.createTurn(another)).rejects.toMatchObject({ reason: "DRAINING" });
  });

  it("joins a request that names the session that it opened, and refuses one that names another", async () => {
    await using opened = await open();
    const { store } = opened;
    const first = turnStart({ requestId: randomUUID() });
    const { turn } = await store.createTurn(first);
    const other = (await store.createTurn(turnStart())).turn;
    const named = (sentSessionId: string) => ({ ...first, turnId: randomUUID(), sentSessionId });
    expect(await store.createTurn(named(turn.sessionId))).toMatchObject({ joined: true, turn });
    await expect(store.createTurn(named(other.sessionId))).rejects.toMatchObject({
      reason: "REQUEST_ID_REUSED",
    });

    const second = turnStart({ requestId: randomUUID(), session: randomUUID() });
    await store.createTurn(second);
    const unnamed = { ...second, turnId: randomUUID(), sentSessionId: "" };
    await expect(store.createTurn(unnamed)).rejects.toMatchObject({ reason: "REQUEST_ID_REUSED" });
  });

  it("keeps a request beyond its turn's deletion, for a day", async () => {
    await using opened = await open();
    const { store } = opened;
    const requestId = randomUUID();
    const { turn } = await store.createTurn(turnStart({ requestId }));
    await store.append(endOf(turn.turnId));
    const deleted = 10_000;
    await store.deleteNamed(turn.sessionId, PRINCIPAL, deleted);
    const day = 24 * 3600 * 1000;
    const soon = turnStart({ requestId, time: deleted + day - 1 });
    await expect(store.createTurn(soon)).rejects.toMatchObject({ reason: "NOT_FOUND" });
    const late = turnStart({ requestId, time: deleted + day + 1 });
    expect(await store.createTurn(late)).toMatchObject({ joined: false });
  });

  it("compares attachments and the permission mode of a request too", async () => {
    await using opened = await open();
    const { store } = opened;
    const attachments = [{ name: "a.txt", mediaType: "text/plain", size: 3 }];
    const start = turnStart({ requestId: randomUUID(), attachments, attachmentsDigest: "abc" });
    await store.createTurn(start);
    const { turn, joined } = await store.createTurn({ ...start, turnId: randomUUID() });
    expect({ joined, attachments: turn.attachments }).toEqual({ joined: true, attachments });
    const plain = turnStart({ requestId: randomUUID() });
    await store.createTurn(plain);
    for (const other of [
      { ...start, attachmentsDigest: "abd" },
      { ...start, attachmentsDigest: "" },
      { ...start, sentPermissionMode: PermissionMode.ASK },
      { ...plain, sentPermissionMode: PermissionMode.ASK },
    ]) {
      await expect(store.createTurn(other)).rejects.toMatchObject({ reason: "REQUEST_ID_REUSED" });
    }
  });

  it("finds a message that was sent before, and nothing else under its id", async () => {
    await using opened = await open();
    const { store } = opened;
    const requestId = randomUUID();
    const asked = turnStart({ requestId });
    const { turnId } = (await store.createTurn(asked)).turn;
    const steer = { principal: PRINCIPAL, requestId: randomUUID(), message: "look there" };
    expect(await store.findSteer(turnId, steer)).toBeUndefined();
    await store.append({ turnId, firstSequence: 1, events: bytes("s"), time: 1, steer });
    expect(await store.findSteer(turnId, steer)).toBe(1);
    const reused = { reason: "REQUEST_ID_REUSED" };
    for (const other of [
      () => store.findSteer(turnId, { ...steer, message: "look here" }),
      () => store.findSteer(randomUUID(), steer),
      () => store.findSteer(turnId, { ...steer, requestId }),
      () => store.createTurn({ ...turnStart(), requestId: steer.requestId }),
    ]) {
      await expect(other()).rejects.toMatchObject(reused);
    }
    expect(await store.findSteer(turnId, { ...steer, principal: "bob" })).toBeUndefined();
    await store.append({ ...endOf(turnId), firstSequence: 2 });
    expect(await (await opened.reopen()).findSteer(turnId, steer)).toBe(1);
  });

  it("does not fail a turn whose message comes under an id that another request took", async () => {
    await using opened = await open();
    const { store } = opened;
    const running = turnStart();
    await store.createTurn(running);
    const requestId = randomUUID();
    const taken = turnStart({ requestId });
    await store.createTurn(taken);
    const steer = { principal: PRINCIPAL, requestId, message: "look there" };
    const { turnId } = running;
    await store.append({ turnId, firstSequence: 1, events: bytes("s"), time: 1, steer });
    expect((await store.createTurn(taken)).joined).toBe(true);
    await expect(store.findSteer(turnId, steer)).rejects.toMatchObject({
      reason: "REQUEST_ID_REUSED",
    });
  });
}
