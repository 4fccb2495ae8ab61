import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ErrorReason, NoticeReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { collect, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually, processesWith } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment, MARKER } from "../support/test-environment.ts";
import { pidOf, said, startLiveServer } from "./live-server.ts";

const isEmpty = (pids: readonly number[]) => pids.length === 0;

describe("a session that is kept warm", () => {
  it("has its turns in one process, whose costs are each turn's own and add up in the session", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    const turns = [];
    for (let n = 1; n <= 3; n++) turns.push(await live.run({ sessionId, prompt: "pid" }));
    expect(new Set(turns.map(pidOf)).size).toBe(1);
    expect(live.server.processes()).toEqual([pidOf(turns[0]!)]);
    expect(turns.flatMap((turn) => valuesOf(turn, "session")).map((s) => s.resumed)).toEqual([
      false,
      true,
      true,
    ]);
    const results = turns.flatMap((turn) => valuesOf(turn, "result"));
    expect(results.map(({ totalCostUsd }) => totalCostUsd)).toEqual([0.25, 0.25, 0.25]);
    const { session } = await live.client.getSession({ sessionId });
    expect(session).toMatchObject({ totalCostUsd: 0.75, turnCount: 3 });
    expect(session?.usage).toMatchObject({ inputTokens: 60n, outputTokens: 30n });
  });

  it("goes on in the same process after a turn that failed", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    const first = await live.run({ sessionId, prompt: "pid" });
    const failed =
      '{"type":"result","subtype":"success","is_error":true,"result":"API Error: 500","api_error_status":500}';
    const second = await live.run({
      sessionId,
      prompt: script("pid", `print ${failed}`, "pause 60000"),
    });
    expect(valuesOf(second, "result")[0]).toMatchObject({ isError: true });
    expect(pidOf(second)).toBe(pidOf(first));
  });

  it("has a fresh process behind its idle time, and leaves none", async () => {
    await using live = await startLiveServer({ BREAKGLASS_WARM_SECONDS: "1" });
    const sessionId = randomUUID();
    const first = await live.run({ sessionId, prompt: "pid" });
    expect(await eventually(live.server.processes, isEmpty)).toEqual([]);
    const second = await live.run({ sessionId, prompt: "pid" });
    expect(pidOf(second)).not.toBe(pidOf(first));
    expect(valuesOf(second, "session")[0]?.resumed).toBe(true);
    expect(valuesOf(second, "notice")).toEqual([]);
  });

  it("shares so many places with others, and loses its own first where it was used least recently", async () => {
    await using live = await startLiveServer({ BREAKGLASS_MAX_WARM_PROCESSES: "2" });
    const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()];
    const pids = new Map<string, number>();
    for (const sessionId of [a, b, a, c]) {
      pids.set(sessionId, pidOf(await live.run({ sessionId, prompt: "pid" })));
    }
    const left = await eventually(live.server.processes, ({ length }) => length === 2);
    expect(left.toSorted()).toEqual([pids.get(a), pids.get(c)].toSorted());
  });

  it("runs many turns at the same moment, each session in a process of its own", async () => {
    await using live = await startLiveServer({ BREAKGLASS_MAX_WARM_PROCESSES: "4" });
    const sessions = Array.from({ length: 8 }, () => randomUUID());
    for (let round = 1; round <= 3; round++) {
      const turns = await Promise.all(
        sessions.map((sessionId) => live.run({ sessionId, prompt: `say round ${round}` })),
      );
      expect(turns.map(said)).toEqual(sessions.map(() => [`round ${round}`]));
    }
    for (const sessionId of sessions) expect(await live.played(sessionId)).toHaveLength(3);
    expect(await eventually(live.server.processes, (pids) => pids.length <= 4)).toHaveLength(4);
  });

  it("has its process ended by a cancel, with all that its turns started", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    await live.run({ sessionId, prompt: script("child sleep 300", "say one") });
    const reader = live.open({ sessionId, prompt: script("detach sleep 300", "say two", "hang") });
    const { turnId } = await reader.until("text");
    const { turn } = await live.client.cancelTurn({ turnId });
    expect(turn?.state).toBe(TurnState.CANCELED);
    expect(live.server.processes()).toEqual([]);
    expect(said(await live.run({ sessionId, prompt: "say three" }))).toEqual(["three"]);
  });

  it("has its process ended by a time-out, with all that its turns started", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    await live.run({ sessionId, prompt: "say one" });
    const prompt = script("detach sleep 300", "say two", "hang");
    const events = await live.run({ sessionId, prompt, timeout: { seconds: 1n } });
    expect(valuesOf(events, "error")).toMatchObject([{ reason: ErrorReason.TURN_TIMEOUT }]);
    expect(live.server.processes()).toEqual([]);
  });

  it("has its process ended when it is deleted", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    await live.run({ sessionId, prompt: script("detach sleep 300", "say one") });
    expect(live.server.processes()).not.toEqual([]);
    await live.client.deleteSession({ sessionId });
    expect(await eventually(live.server.processes, isEmpty)).toEqual([]);
    const again = await live.run({ sessionId, prompt: "say two" });
    expect(valuesOf(again, "session")[0]?.resumed).toBe(false);
  });

  it.each([
    ["dies after its result", "die-idle"],
    ["dies with the next prompt", "die-next"],
    ["answers the next prompt out of turn", "stale-next"],
    ["speaks while it is idle", "idle-result 0"],
  ])("is none the worse for a process that %s", async (_what, step) => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    const first = await live.run({ sessionId, prompt: script("pid", step) });
    const second = await live.run({ sessionId, prompt: script("pid", "say two") });
    // One that has taken the prompt up before it spoke goes on with it.
    if (!step.startsWith("idle-result")) expect(pidOf(second)).not.toBe(pidOf(first));
    expect(said(second)).toHaveLength(2);
    const reasons = valuesOf(second, "notice").map(({ reason }) => reason);
    expect([[], [NoticeReason.AGENT_REPLACED]]).toContainEqual(reasons);
    expect(await live.played(sessionId)).toHaveLength(2);
    const { turns } = await live.client.listTurns({ sessionId });
    expect(turns.map(({ state }) => state)).toEqual([TurnState.SUCCEEDED, TurnState.SUCCEEDED]);
  });

  it("is none the worse for a process that is killed, idle or in a turn", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    process.kill(pidOf(await live.run({ sessionId, prompt: "pid" })), "SIGKILL");
    const reader = live.open({ sessionId, prompt: script("pid", "say begun", "hang") });
    await reader.until("text");
    process.kill(pidOf(reader.seen), "SIGKILL");
    const events = await reader.rest();
    expect(valuesOf(events, "error")).toMatchObject([
      { reason: ErrorReason.AGENT_EXITED, signal: "SIGKILL" },
    ]);
    expect(said(await live.run({ sessionId, prompt: "say on" }))).toEqual(["on"]);
    expect(await live.played(sessionId)).toHaveLength(3);
  });
});

describe("a server that keeps processes", () => {
  it("has none left when it is drained, nor one while a turn still ends", async () => {
    await using live = await startLiveServer({ BREAKGLASS_DRAIN_SECONDS: "30" });
    await live.run({ prompt: "say idle" });
    const gate = createGate(live.server.root);
    const reader = live.open({ prompt: script("pid", gate.step, "say ended") });
    await reader.until("text");
    const drained = live.server.drain();
    const left = await eventually(live.server.processes, ({ length }) => length === 1);
    expect(left).toEqual([pidOf(reader.seen)]);
    gate.open();
    expect(said(await reader.rest())).toContain("ended");
    await drained;
    expect(live.server.processes()).toEqual([]);
  });

  it("is down only when none is left, however long one takes to end", async () => {
    await using live = await startLiveServer();
    await live.run({ prompt: script("ignore", "say idle") });
    expect(live.server.processes()).toHaveLength(1);
    await live.server.drain();
    expect(live.server.processes()).toEqual([]);
  });

  it("leaves none where it is killed, once the next one is up", async () => {
    const settings = { BREAKGLASS_MAX_WARM_PROCESSES: "8", BREAKGLASS_SPARE_PROCESSES: "1" };
    await using environment = await createTestEnvironment(settings);
    const { variables } = environment;
    const marked = () => processesWith(MARKER, variables[MARKER]!);
    await using first = await startServeProcess(variables);
    using before = connect(first.url);
    const sessionId = randomUUID();
    const prompt = script("ignore", "pid", 'detach trap "" TERM HUP; while :; do sleep 1; done');
    const pid = pidOf(await collect(before.client.runTurn({ sessionId, prompt })));
    await first.end("SIGKILL");
    expect(marked()).toContain(pid);

    await using second = await startServeProcess({ ...variables, BREAKGLASS_SPARE_PROCESSES: "0" });
    const left = () => marked().filter((other) => other !== second.pid);
    expect(await eventually(left, isEmpty)).toEqual([]);
    using after = connect(second.url);
    const events = await collect(after.client.runTurn({ sessionId, prompt: "say back" }));
    expect(said(events)).toEqual(["back"]);
    expect(valuesOf(events, "session")[0]?.resumed).toBe(true);
  });
});

describe("a spare process", () => {
  const SPARE = { BREAKGLASS_SPARE_PROCESSES: "1" };
  const isOne = (pids: readonly number[]) => pids.length === 1;

  it("takes the first turn of a new session, in its workspace, and the next ones", async () => {
    await using live = await startLiveServer(SPARE);
    const prompt = script("pid", "bash touch here && ls");
    // One that is not up yet takes no turn.
    const { first, waited } = await eventually(
      async () => {
        const before = live.server.processes();
        const events = await live.run({ prompt });
        return { first: events, waited: before.includes(pidOf(events)) };
      },
      (found) => found.waited,
    );
    expect(waited).toBe(true);
    expect(valuesOf(first, "session")).toMatchObject([{ resumed: false }]);
    expect(valuesOf(first, "toolResult")[0]?.content).toBe("here\n");
    const { sessionId } = first[0]!;
    expect(pidOf(await live.run({ sessionId, prompt: "pid" }))).toBe(pidOf(first));
  });

  it("is each session's own, however many begin at the same moment", async () => {
    await using live = await startLiveServer({ BREAKGLASS_SPARE_PROCESSES: "2" });
    const request = { prompt: script("pid", "bash pwd") };
    const firsts = [];
    for (let round = 1; round <= 4; round++) {
      firsts.push(...(await Promise.all(Array.from({ length: 4 }, () => live.run(request)))));
    }
    expect(new Set(firsts.map(pidOf)).size).toBe(16);
    const places = firsts.map((events) => valuesOf(events, "toolResult")[0]?.content);
    expect(new Set(places).size).toBe(16);
  });

  it("that dies or speaks out of turn costs nobody anything", async () => {
    const steps = join(tmpdir(), `breakglass-test-${randomUUID()}`);
    await writeFile(steps, script("init", "say stray"));
    await using live = await startLiveServer({
      ...SPARE,
      BREAKGLASS_AGENT_ENV: `${MARKER},SCRIPTED_ON_INITIALIZE`,
      SCRIPTED_ON_INITIALIZE: steps,
    });
    expect(await eventually(live.server.processes, isOne)).toHaveLength(1);
    // It is ended for what it said, and another one is tried after a while.
    expect(await eventually(live.server.processes, isEmpty)).toEqual([]);
    const events = await live.run({ prompt: "say one" });
    expect(said(events)).toEqual(["one"]);
    const another = await eventually(live.server.processes, ({ length }) => length === 2, 15_000);
    for (const pid of another) process.kill(pid, "SIGKILL");
    expect(said(await live.run({ prompt: "say two" }))).toEqual(["two"]);
    await rm(`${steps}.taken`);
  });
});
