import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { BreakglassClient } from "#client";
import type { WatchSessionResponse } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { ErrorReason, NoticeReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { cases, collect, durable, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { pidOf, said, startLiveServer } from "./live-server.ts";

/** The changes of a session, until one is what is waited for. */
async function watchUntil(
  client: BreakglassClient,
  sessionId: string,
  isLast: (message: WatchSessionResponse) => boolean,
  afterCursor = 0n,
): Promise<WatchSessionResponse[]> {
  const seen: WatchSessionResponse[] = [];
  for await (const message of client.watchSession({ sessionId, afterCursor })) {
    seen.push(message);
    if (isLast(message)) break;
  }
  return seen;
}

const isOwn = ({ change }: WatchSessionResponse) => change.value?.origin === TurnOrigin.AGENT;
const ownBegins = (message: WatchSessionResponse) =>
  message.change.case === "turnStarted" && isOwn(message);
const ownEnds = (message: WatchSessionResponse) =>
  message.change.case === "turnEnded" && isOwn(message);

describe("work that the agent begins by itself", () => {
  it("is a turn of its own with all its events, announced to who watches the session", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    const gate = createGate(live.server.root);
    const background = `background 20 ${gate.step} | pid | bash echo own | say last`;
    const first = await live.run({ sessionId, prompt: script("pid", background) });
    expect(cases(first).at(-1)).toBe("result");
    const watched = watchUntil(live.client, sessionId, ownEnds);
    gate.open();
    const changes = await watched;
    const told = changes.map(({ change }) => [change.case, change.value?.origin]);
    expect(told.filter(([kind]) => kind !== undefined)).toEqual([
      ["turnStarted", TurnOrigin.CALLER],
      ["turnEnded", TurnOrigin.CALLER],
      ["turnStarted", TurnOrigin.AGENT],
      ["turnEnded", TurnOrigin.AGENT],
    ]);
    expect(changes.filter(({ caughtUp }) => caughtUp)).toHaveLength(1);
    const own = changes.at(-1)!.change.value!;
    expect(own).toMatchObject({
      sessionId,
      state: TurnState.SUCCEEDED,
      prompt: "",
      principal: "local",
      causeTurnId: first[0]!.turnId,
      totalCostUsd: 0.25,
    });
    const events = await collect(live.client.attachTurn({ turnId: own.turnId }));
    const kinds = cases(durable(events)).filter((kind) => kind !== "notice");
    expect(kinds).toEqual(["session", "text", "tool", "toolResult", "text", "result"]);
    expect(pidOf(events)).toBe(pidOf(first));
    const notices = [...valuesOf(first, "notice"), ...valuesOf(events, "notice")];
    const reasons = notices.map(({ reason }) => reason);
    expect(reasons.toSorted()).toEqual([NoticeReason.TASK_STARTED, NoticeReason.TASK_ENDED]);
    expect((await live.client.getSession({ sessionId })).session?.totalCostUsd).toBe(0.5);
  });

  it("is a turn of its own also where it begins in the same breath as the turn before ends", async () => {
    await using live = await startLiveServer();
    for (let n = 0; n < 10; n++) {
      const sessionId = randomUUID();
      // The task ends within the turn, and is followed up at once behind the result.
      await live.run({ sessionId, prompt: script("background 0 say own", "pause 20", "say one") });
      const own = (await watchUntil(live.client, sessionId, ownEnds)).at(-1)?.change.value;
      expect(own?.state).toBe(TurnState.SUCCEEDED);
      const events = await collect(live.client.attachTurn({ turnId: own!.turnId }));
      expect(said(events)).toEqual(["own"]);
    }
  });

  it("is announced from any cursor on, once, also after a restart", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    await live.run({ sessionId, prompt: script("background 20 say own", "say one") });
    const all = await watchUntil(live.client, sessionId, ownEnds);
    const changes = all.filter(({ change }) => change.case !== undefined);
    expect(changes.map(({ cursor }) => cursor)).toEqual(
      changes.map(({ cursor }) => cursor).toSorted((a, b) => Number(a - b)),
    );
    await live.server.restart();
    using after = connect(live.server.url);
    for (const [index, { cursor }] of changes.entries()) {
      const again = await watchUntil(after.client, sessionId, ({ caughtUp }) => caughtUp, cursor);
      const rest = again.flatMap(({ change }) => change.value?.turnId ?? []);
      expect(rest).toEqual(changes.slice(index + 1).map(({ change }) => change.value?.turnId));
    }
  });

  it("ends the watching of a session that is deleted, with NOT_FOUND", async () => {
    await using live = await startLiveServer();
    const [{ sessionId } = { sessionId: "" }] = await live.run({ prompt: "say one" });
    const caughtUp = Promise.withResolvers<void>();
    const watched = refusalOf(
      (async () => {
        for await (const message of live.client.watchSession({ sessionId })) {
          if (message.caughtUp) caughtUp.resolve();
        }
      })(),
    );
    await caughtUp.promise;
    await live.client.deleteSession({ sessionId });
    expect(await watched).toMatchObject({ code: "NotFound" });
  });

  it("lets a prompt wait QUEUED, and run in the same process when it is done", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    const gate = createGate(live.server.root);
    const background = `background 20 say own | ${gate.step} | say own ends`;
    await live.run({ sessionId, prompt: script("pid", background) });
    const [own] = (await watchUntil(live.client, sessionId, ownBegins)).slice(-1);
    const requestId = randomUUID();
    const reader = live.open({ sessionId, prompt: script("pid", "say run"), requestId });
    const begun = await reader.until("checkpoint");
    expect(begun.kind.value).toMatchObject({ state: TurnState.QUEUED });
    const { session } = await live.client.getSession({ sessionId });
    expect(session).toMatchObject({
      runningTurnId: own!.change.value!.turnId,
      queuedTurnId: begun.turnId,
    });
    const second = live.client.runTurn({ sessionId, prompt: "say third" });
    expect(await refusalOf(second)).toMatchObject({ reason: "TURN_IN_PROGRESS" });
    gate.open();
    const events = await reader.rest();
    expect(said(events).at(-1)).toBe("run");
    const { turns } = await live.client.listTurns({ sessionId });
    expect(turns.map(({ state }) => state)).toEqual([1, 2, 3].map(() => TurnState.SUCCEEDED));
    const ofOwn = await collect(live.client.attachTurn({ turnId: own!.change.value!.turnId }));
    expect(said(ofOwn)).toEqual(["own", "own ends"]);
    expect(live.server.processes()).toEqual([pidOf(events)]);
  });

  it("is interrupted after 10 s where a prompt waits, its tasks live on, and the prompt runs", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    const task = createGate(live.server.root);
    const background = `background 20 child sh -c 'while ! test -e ${task.step.slice(5)}; do sleep 0.1; done' | say own | hang`;
    await live.run({ sessionId, prompt: script("pid", background) });
    const [own] = (await watchUntil(live.client, sessionId, ownBegins)).slice(-1);
    const ownEvents = collect(live.client.attachTurn({ turnId: own!.change.value!.turnId }));
    await eventually(live.server.processes, ({ length }) => length >= 2);
    const begun = performance.now();
    const events = await live.run({ sessionId, prompt: script("pid", "say run") });
    expect(performance.now() - begun).toBeGreaterThan(9000);
    expect(said(events).at(-1)).toBe("run");
    expect(valuesOf(await ownEvents, "error")).toMatchObject([{ reason: ErrorReason.CANCELED }]);
    expect(live.server.processes()).toContain(pidOf(events));
    expect(live.server.processes().length).toBeGreaterThan(1);
    task.open();
  });

  it("leaves no prompt behind that was canceled or interrupted while it waited", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    const gate = createGate(live.server.root);
    await live.run({
      sessionId,
      prompt: script(`background 20 ${gate.step} | say own`, "say one"),
    });
    await watchUntil(live.client, sessionId, ownBegins);
    for (const end of ["cancelTurn", "interruptTurn"] as const) {
      const reader = live.open({ sessionId, prompt: "say never" });
      const { turnId } = await reader.until("checkpoint");
      const { turn } = await live.client[end]({ turnId });
      expect(turn?.state).toBe(TurnState.CANCELED);
      expect(cases(durable(await reader.rest()))).toEqual(["error"]);
    }
    gate.open();
    expect(said(await live.run({ sessionId, prompt: "say next" }))).toEqual(["next"]);
    const prompts = (await live.played(sessionId)).map(({ prompt }) => prompt);
    expect(prompts).not.toContain("say never");
    expect(prompts).toHaveLength(2);
  });

  it("can be canceled, with its process", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    await live.run({ sessionId, prompt: script("background 20 say own | hang", "say one") });
    const [own] = (await watchUntil(live.client, sessionId, ownBegins)).slice(-1);
    const { turn } = await live.client.cancelTurn({ turnId: own!.change.value!.turnId });
    expect(turn?.state).toBe(TurnState.CANCELED);
    expect(live.server.processes()).toEqual([]);
    expect(said(await live.run({ sessionId, prompt: "say next" }))).toEqual(["next"]);
  });

  it("loses nothing where prompts come at any moment of it", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    const words: string[] = [];
    for (let n = 0; n < 8; n++) {
      const own = `say own ${n} | pause 5 | say more ${n}`;
      await live.run({ sessionId, prompt: script(`background ${n * 2} ${own}`, `say ${n}`) });
      await live.run({ sessionId, prompt: `say next ${n}` });
      words.push(`${n}`, `own ${n}`, `more ${n}`, `next ${n}`);
    }
    const everything = async () => {
      const { turns } = await live.client.listTurns({ sessionId });
      const streams = turns.map(({ turnId }) => collect(live.client.attachTurn({ turnId })));
      return (await Promise.all(streams)).flatMap(said);
    };
    const found = await eventually(everything, ({ length }) => length >= words.length);
    expect(found.toSorted()).toEqual(words.toSorted());
    const { turns } = await live.client.listTurns({ sessionId });
    expect(new Set(turns.map(({ state }) => state))).toEqual(new Set([TurnState.SUCCEEDED]));
  });
});
