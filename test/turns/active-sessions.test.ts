import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { AgentTurn } from "../../src/agent/agent.ts";
import { callerNamed, nameOf } from "../support/caller.ts";
import { eventually } from "../support/processes.ts";
import type { DrivenRun } from "./driven-agent.ts";
import {
  type DrivenTurns,
  PRINCIPAL,
  pass,
  REQUEST,
  result,
  startDrivenTurns,
  text,
} from "./driven-turns.ts";

/** Has a turn end with the agent's result, and waits until that is on disk. */
async function finish(driven: DrivenTurns, turnId: string, run: DrivenRun): Promise<void> {
  run.give([result()]);
  run.leave();
  await driven.ended(turnId);
}

/** Begins a turn in a session; a file lies in its workspace. */
async function open(driven: DrivenTurns, sessionId: string) {
  const { turnId, run } = await driven.begin({ sessionId });
  const place = run.turn as AgentTurn;
  const file = join(place.workspace, "file");
  await writeFile(file, "precious");
  return { turnId, run, place, file };
}

/** A session that is deleted, and whose removal is held up until `letGo`. */
async function beginRemoval(driven: DrivenTurns, sessionId: string, by: "process" | "workspace") {
  const held = Promise.withResolvers<void>();
  const first = await open(driven, sessionId);
  if (by === "process") first.run.lastProcess = held.promise;
  else driven.agent.forgetting = (path) => (path === first.place.workspace ? held.promise : gone);
  await finish(driven, first.turnId, first.run);
  return {
    ...first,
    letGo: held.resolve,
    removed: driven.turns.deleteSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL)),
  };
}

const gone = Promise.resolve();

/** Nothing is held for sessions of which nothing is active. */
function forgotten({ turns }: DrivenTurns): Promise<number> {
  return eventually(
    () => turns.activeSessions,
    (count) => count === 0,
  );
}

describe("a session that is deleted and opened again under its id", () => {
  it.each([
    ["process ends", "process"],
    ["workspace is removed", "workspace"],
  ] as const)(
    "is another one: while the first one's %s it runs, and keeps what it has",
    async (_, by) => {
      await using driven = await startDrivenTurns();
      const sessionId = randomUUID();
      const first = await beginRemoval(driven, sessionId, by);
      const second = await open(driven, sessionId);
      expect(second.place.sessionKey).not.toBe(first.place.sessionKey);
      expect(second.place.workspace).not.toBe(first.place.workspace);
      first.letGo();
      expect(await first.removed).toBe(true);
      expect(existsSync(first.place.workspace)).toBe(false);
      expect(existsSync(second.file)).toBe(true);
      expect(driven.agent.closed).toEqual([first.place.sessionKey]);
      expect(second.run.isOver).toBe(false);
      await finish(driven, second.turnId, second.run);
      expect(driven.agent.forgotten).toEqual([first.place.workspace]);
      expect(await forgotten(driven)).toBe(0);
    },
  );

  it.each([
    ["process ends", "process"],
    ["workspace is removed", "workspace"],
  ] as const)("is removed by itself while the first one's %s", async (_, by) => {
    await using driven = await startDrivenTurns();
    const sessionId = randomUUID();
    const first = await beginRemoval(driven, sessionId, by);
    const second = await open(driven, sessionId);
    await finish(driven, second.turnId, second.run);
    expect(
      await driven.turns.deleteSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL)),
    ).toBe(true);
    expect(existsSync(second.place.workspace)).toBe(false);
    expect(existsSync(first.file)).toBe(true);
    const third = await open(driven, sessionId);
    first.letGo();
    expect(await first.removed).toBe(true);
    expect(existsSync(first.place.workspace)).toBe(false);
    expect(existsSync(third.file)).toBe(true);
    expect(driven.agent.closed).not.toContain(third.place.sessionKey);
  });
});

describe("the removal of a session", () => {
  it("touches nothing of it before its last turn's processes are gone", async () => {
    await using driven = await startDrivenTurns();
    const sessionId = randomUUID();
    const first = await beginRemoval(driven, sessionId, "process");
    await open(driven, sessionId); // Behind the deletion, which is on record then.
    await pass();
    expect(driven.agent).toMatchObject({ closed: [], forgotten: [] });
    expect(existsSync(first.file)).toBe(true);
    first.letGo();
    expect(await first.removed).toBe(true);
    expect(driven.agent.closed).toEqual([first.place.sessionKey]);
    expect(existsSync(first.place.workspace)).toBe(false);
  });

  it("is done once, whoever asks for it", async () => {
    await using driven = await startDrivenTurns();
    const first = await beginRemoval(driven, randomUUID(), "workspace");
    await eventually(
      () => driven.agent.forgotten,
      ({ length }) => length === 1,
    );
    // It is on the store's list now.
    await driven.turns.recover();
    await driven.store.asStore.listRemovals(driven.store.asStore.lease.owner);
    await pass();
    first.letGo();
    expect(await first.removed).toBe(true);
    expect(await forgotten(driven)).toBe(0);
    expect(driven.agent.forgotten).toEqual([first.place.workspace]);
  });

  it("is not waited for by a server that drains, but the session's processes are", async () => {
    await using driven = await startDrivenTurns();
    const first = await beginRemoval(driven, randomUUID(), "process");
    const never = Promise.withResolvers<void>();
    driven.agent.forgetting = () => never.promise;
    let isDrained = false;
    const drained = driven.turns.drain(0).then(() => {
      isDrained = true;
    });
    await driven.store.asStore.listRemovals(driven.store.asStore.lease.owner); // Behind the deletion.
    await pass();
    expect(isDrained).toBe(false);
    first.letGo();
    await drained;
    never.resolve();
    await first.removed;
  });
});

describe("a session of which nothing is active any more", () => {
  it("is held no longer than its last turn's processes live", async () => {
    await using driven = await startDrivenTurns();
    const held = Promise.withResolvers<void>();
    const { turnId, run } = await open(driven, randomUUID());
    run.lastProcess = held.promise;
    await finish(driven, turnId, run);
    await pass();
    expect(driven.turns.activeSessions).toBe(1);
    held.resolve();
    expect(await forgotten(driven)).toBe(0);
  });
});

describe("what an agent begins by itself", () => {
  it("is waited for by the prompt behind it until its end is on disk, however late that is", async () => {
    await using driven = await startDrivenTurns();
    const { turns, agent } = driven;
    const sessionId = randomUUID();
    const { turnId, run, place } = await open(driven, sessionId);
    await finish(driven, turnId, run);
    const work = agent.beginOwnWork(place);
    await pass();
    const queued = await turns.run(
      { ...REQUEST, sessionId, prompt: "next" },
      callerNamed(PRINCIPAL),
    );
    expect(queued.state).toBe(TurnState.QUEUED);
    await driven.fillDisk();
    work.run.give([result()]);
    work.run.leave();
    await expect(turns.cancel(work.turnId, callerNamed(PRINCIPAL))).rejects.toMatchObject({
      reason: "STORAGE",
    });
    await driven.store.asStore.listRemovals(driven.store.asStore.lease.owner); // Behind what a prompt that began would ask for.
    await pass();
    expect(agent.runOf("next").turn).toBeUndefined();
    await driven.clearDisk();
    await agent.runOf("next").started;
    expect(await driven.ended(work.turnId)).toMatchObject({ state: TurnState.SUCCEEDED });
  });

  it("becomes a turn that is in the way of a deletion", async () => {
    await using driven = await startDrivenTurns();
    const sessionId = randomUUID();
    const { turnId, run, place } = await open(driven, sessionId);
    await finish(driven, turnId, run);
    const work = driven.agent.beginOwnWork(place);
    await pass();
    await expect(
      driven.turns.deleteSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL)),
    ).rejects.toMatchObject({
      reason: "TURN_IN_PROGRESS",
    });
    await finish(driven, work.turnId, work.run);
    expect(
      await driven.turns.deleteSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL)),
    ).toBe(true);
    expect(driven.agent.closed).toEqual([place.sessionKey]);
    expect(await forgotten(driven)).toBe(0);
  });

  it("is declined where its session is deleted meanwhile, also where that is opened again", async () => {
    await using driven = await startDrivenTurns();
    const { turns, agent, store } = driven;
    const sessionId = randomUUID();
    const { turnId, run, place } = await open(driven, sessionId);
    await finish(driven, turnId, run);
    store.isHeld = true;
    const work = agent.beginOwnWork(place);
    await eventually(
      () => store.waiting,
      (calls) => calls.includes("createTurn"),
    );
    expect(await turns.deleteSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL))).toBe(
      true,
    );
    store.isHeld = false;
    const opened = open(driven, sessionId);
    store.release(1);
    const second = await opened;
    expect(work.isDeclined).toBe(true);
    expect(new Set(agent.closed)).toEqual(new Set([place.sessionKey]));
    await expect(turns.getTurn(work.turnId, callerNamed(PRINCIPAL))).rejects.toMatchObject({
      reason: "NOT_FOUND",
    });
    expect(existsSync(second.file)).toBe(true);
    expect(second.run.isOver).toBe(false);
  });

  it("goes on where the prompt behind it is canceled, and has the next one wait", async () => {
    await using driven = await startDrivenTurns();
    const { turns, agent } = driven;
    const sessionId = randomUUID();
    const { turnId, run, place } = await open(driven, sessionId);
    await finish(driven, turnId, run);
    const work = agent.beginOwnWork(place);
    await eventually(
      () => turns.getSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL)),
      ({ runningTurnId }) => runningTurnId === work.turnId,
    );
    const queue = (prompt: string) =>
      turns.run({ ...REQUEST, sessionId, prompt }, callerNamed(PRINCIPAL));
    const first = await queue("canceled");
    expect(first.state).toBe(TurnState.QUEUED);
    await expect(queue("one too many")).rejects.toMatchObject({ reason: "TURN_IN_PROGRESS" });
    expect(await turns.cancel(first.turnId, callerNamed(PRINCIPAL))).toMatchObject({
      state: TurnState.CANCELED,
    });
    const second = await queue("next");
    expect(second.state).toBe(TurnState.QUEUED);
    await pass();
    expect(agent.runOf("next").turn).toBeUndefined();
    expect(work.run).toMatchObject({ isOver: false, interrupts: 0 });
    work.run.give([text()]);
    await finish(driven, work.turnId, work.run);
    await agent.runOf("next").started;
    expect(agent.runOf("canceled").turn).toBeUndefined();
    await finish(driven, second.turnId, agent.runOf("next"));
    expect(await forgotten(driven)).toBe(0);
  });

  it("becomes turns one after the other, each when the one before is on disk", async () => {
    await using driven = await startDrivenTurns();
    const { agent, store } = driven;
    const { turnId, run, place } = await open(driven, randomUUID());
    store.isHeld = true;
    run.give([result()]);
    run.leave();
    await pass();
    const first = agent.beginOwnWork(place);
    const second = agent.beginOwnWork({ ...place, turnId: first.turnId });
    first.run.give([result()]);
    first.run.leave();
    await pass();
    store.isHeld = false;
    store.release(1);
    for (const id of [turnId, first.turnId]) await driven.ended(id);
    await finish(driven, second.turnId, second.run);
    expect([first.isDeclined, second.isDeclined]).toEqual([false, false]);
    expect(await forgotten(driven)).toBe(0);
  });

  it("is declined by a server that drains, and ends LOST where it runs, with the prompt behind it", async () => {
    await using driven = await startDrivenTurns();
    const { turns, agent } = driven;
    const [one, other] = [randomUUID(), randomUUID()];
    const places: AgentTurn[] = [];
    for (const sessionId of [one, other]) {
      const { turnId, run, place } = await open(driven, sessionId);
      await finish(driven, turnId, run);
      places.push(place);
    }
    const work = agent.beginOwnWork(places[0]!);
    await pass();
    const queued = await turns.run(
      { ...REQUEST, sessionId: one, prompt: "never" },
      callerNamed(PRINCIPAL),
    );
    expect(queued.state).toBe(TurnState.QUEUED);
    const drained = turns.drain(0);
    const late = agent.beginOwnWork(places[1]!);
    await drained;
    for (const id of [work.turnId, queued.turnId]) {
      expect(await driven.ended(id)).toMatchObject({
        errorReason: ErrorReason.SERVER_SHUTDOWN,
        state: TurnState.LOST,
      });
    }
    expect(agent.runOf("never").turn).toBeUndefined();
    await eventually(
      () => late.isDeclined,
      (isDeclined) => isDeclined,
    );
    expect(await forgotten(driven)).toBe(0);
  });
});
