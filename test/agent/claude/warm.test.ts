import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ErrorReason, NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { AgentTurn } from "../../../src/agent/agent.ts";
import { createGate, script } from "../../support/gate.ts";
import { eventually } from "../../support/processes.ts";
import { createWarmAgent, finish, nextTurn, said, valuesIn, type WarmAgent } from "./warm-agent.ts";

/** Runs a turn to its end; answers what came, and the process that played it. */
async function run(warm: WarmAgent, turn: AgentTurn) {
  const events = await finish(warm.agent.start(turn));
  return { events, said: said(events), pid: warm.played(turn).at(-1)?.pid };
}

const noticesOf = (events: Parameters<typeof valuesIn>[0]) =>
  valuesIn(events, "notice").map(({ reason }) => reason);

describe("a session's process", () => {
  it("takes turn after turn, each with a session event and a cost of its own", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn("say one");
    const first = await run(warm, turn);
    for (const word of ["two", "three"]) {
      const { events, pid } = await run(warm, nextTurn(turn, `say ${word}`));
      expect(pid).toBe(first.pid);
      expect(said(events)).toEqual([word]);
      expect(valuesIn(events, "session")).toMatchObject([{ resumed: true }]);
      expect(valuesIn(events, "result")).toMatchObject([{ totalCostUsd: 0.25 }]);
    }
    expect(warm.processes()).toEqual([first.pid]);
    expect(warm.recorded.size).toBe(1);
  });

  it("is gone, and recorded as gone, once it was idle for its time", async () => {
    await using warm = await createWarmAgent({ warmMs: 100 });
    const turn = warm.newTurn("say one");
    const { pid } = await run(warm, turn);
    expect(pid).toBeDefined();
    expect(await eventually(warm.processes, (pids) => pids.length === 0)).toEqual([]);
    expect(
      await eventually(
        () => warm.recorded.size,
        (size) => size === 0,
      ),
    ).toBe(0);
    expect((await run(warm, nextTurn(turn, "say two"))).pid).not.toBe(pid);
  });

  it("that ended with tasks is told of by the first that can be started after it", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script("background 60000 say own", "say one"));
    const { pid } = await run(warm, turn);
    process.kill(pid!, "SIGKILL");
    const isGone = (size: number) => size === 0;
    expect(await eventually(() => warm.recorded.size, isGone)).toBe(0);
    const aside = `${turn.workspace}-aside`;
    renameSync(turn.workspace, aside);
    const refused = await finish(warm.agent.start(nextTurn(turn, "say two")));
    expect(valuesIn(refused, "error")).toMatchObject([{ reason: ErrorReason.AGENT_START_FAILED }]);
    renameSync(aside, turn.workspace);
    const { events } = await run(warm, nextTurn(turn, "say three"));
    expect(noticesOf(events)).toContain(NoticeReason.TASK_ENDED);
  });

  it("goes where there are too many, the least recently used first", async () => {
    await using warm = await createWarmAgent({ maxWarmProcesses: 2 });
    const [a, b, c] = [1, 2, 3].map((n) => warm.newTurn(`say ${n}`)) as [
      AgentTurn,
      AgentTurn,
      AgentTurn,
    ];
    const pids = [await run(warm, a), await run(warm, b)].map(({ pid }) => pid);
    expect((await run(warm, nextTurn(a, "say again"))).pid).toBe(pids[0]);
    const { pid } = await run(warm, c);
    const left = await eventually(warm.processes, ({ length }) => length === 2);
    expect(left.toSorted()).toEqual([pids[0], pid].toSorted());
  });

  it.each([
    ["agent", { agent: "Explore" }],
    ["model", { model: "opus" }],
    ["mode", { permissionMode: PermissionMode.ASK }],
  ])("is replaced, silently, for a turn with another %s", async (_what, other) => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn("say one");
    const { pid } = await run(warm, turn);
    const next = await run(warm, nextTurn(turn, "say two", other));
    expect(next.pid).not.toBe(pid);
    expect(next.said).toEqual(["two"]);
    expect(noticesOf(next.events)).toEqual([]);
    expect(warm.processes()).toEqual([next.pid]);
  });

  it("gives way to another one where its tools may do something else from turn to turn", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn('ask Bash {"n":1}');
    const { pid } = await run(warm, turn);
    const asking = warm.agent.start(
      nextTurn(turn, 'ask Bash {"n":2}', { permissionMode: PermissionMode.ASK }),
    );
    const asked = [];
    for await (const batch of asking.events) {
      asked.push(...batch);
      for (const { approvalId } of valuesIn(batch, "approvalRequest")) {
        asking.answer(approvalId, { allow: true });
      }
    }
    await asking.released;
    expect(valuesIn(asked, "toolResult")).toMatchObject([{ content: 'ran {"n":2}' }]);
    const last = await run(warm, nextTurn(turn, 'ask Bash {"n":3}'));
    expect(valuesIn(last.events, "approvalRequest")).toEqual([]);
    expect(valuesIn(last.events, "toolResult")).toMatchObject([{ content: 'ran {"n":3}' }]);
    const pids = warm.played(turn).map((played) => played.pid);
    expect(new Set(pids)).toHaveLength(3);
    expect(pids).toEqual([pid, pids[1], last.pid]);
    expect(warm.processes()).toEqual([last.pid]);
  });

  it("gives way to another one where the directory that it works in was removed", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn("say one");
    const { pid } = await run(warm, turn);
    rmSync(turn.workspace, { recursive: true });
    mkdirSync(turn.workspace);
    const restored = { ...nextTurn(turn, "say two"), isWorkspaceRestored: true };
    const second = await run(warm, restored);
    expect(second.said).toEqual(["two"]);
    expect(second.pid).not.toBe(pid);
    expect((await run(warm, nextTurn(turn, "say three"))).pid).toBe(second.pid);
  });

  it("is ended at once, where it is idle, when none is to be kept", async () => {
    await using warm = await createWarmAgent();
    const place = warm.newTurn("");
    const gate = createGate(place.workspace);
    const busy = { ...place, prompt: script(gate.step, "say late") };
    const running = warm.agent.start(busy);
    await eventually(
      () => warm.played(busy).length,
      (count) => count === 1,
    );
    await run(warm, warm.newTurn("say idle"));
    await warm.agent.closeIdle();
    expect(warm.processes()).toEqual([warm.played(busy)[0]!.pid]);
    gate.open();
    expect(said(await finish(running))).toEqual(["late"]);
    expect(await eventually(warm.processes, (pids) => pids.length === 0)).toEqual([]);
  });

  it("is ended with its session", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn("say one");
    await run(warm, turn);
    await warm.agent.close(turn.sessionKey);
    expect(warm.processes()).toEqual([]);
    expect(warm.recorded.size).toBe(0);
  });

  it("is ended by a stop, with all that its turns started", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script("child sleep 300", "say one"));
    await run(warm, turn);
    const stopped = warm.agent.start(nextTurn(turn, script("detach sleep 300", "hang")));
    await eventually(warm.processes, ({ length }) => length === 3);
    await stopped.stop();
    expect(warm.processes()).toEqual([]);
    expect(warm.recorded.size).toBe(0);
  });
});

describe("a session's process that is not what it seems", () => {
  it.each([
    ["died after its result", "die-idle", []],
    ["dies with the next prompt", "die-next", [NoticeReason.AGENT_REPLACED]],
    ["hangs on the next prompt", "hang-next", [NoticeReason.AGENT_REPLACED]],
    ["answers the next prompt out of turn", "stale-next", [NoticeReason.AGENT_REPLACED]],
    ["spoke while it was idle", "idle-result 20", []],
  ])("and %s is replaced, and the prompt is run once", async (_what, step, notices) => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script(step, "say one"));
    const { pid } = await run(warm, turn);
    if (notices.length === 0) {
      expect(await eventually(warm.processes, (pids) => pids.length === 0)).toEqual([]);
    }
    const next = await run(warm, nextTurn(turn, "say two"));
    expect(next.said).toEqual(["two"]);
    expect(next.events.at(-1)).toMatchObject({ case: "result", value: { isError: false } });
    const told = noticesOf(next.events);
    // One that has died can be found dead before or behind the prompt.
    if (notices.length > 0 || told.length > 0) expect(told).toEqual([NoticeReason.AGENT_REPLACED]);
    expect(next.pid).not.toBe(pid);
    expect(warm.played(turn).map(({ prompt }) => prompt)).toEqual([turn.prompt, "say two"]);
    expect(warm.processes()).toEqual([next.pid]);
  });

  it("and prints without end is ended, and the next turn is told what was kept of it", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script(`idle-flood ${50 * 1024 * 1024}`, "say one"));
    await run(warm, turn);
    expect(await eventually(warm.processes, (pids) => pids.length === 0)).toEqual([]);
    const next = await run(warm, nextTurn(turn, "say two"));
    const kept = valuesIn(next.events, "text").filter(({ parentToolId }) => parentToolId !== "");
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.length * 100_000).toBeLessThan(5 * 1024 * 1024);
    expect(next.said.at(-1)).toBe("two");
  });

  it("and gives a result out of turn before it takes the prompt has it run once", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script("late-result", "say one"));
    await run(warm, turn);
    const next = await run(warm, nextTurn(turn, "say two"));
    expect(next.said).toEqual(["two"]);
    expect(warm.played(turn).map(({ prompt }) => prompt)).toEqual([turn.prompt, "say two"]);
  });

  it("and is killed while it is idle is replaced", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn("say one");
    const { pid } = await run(warm, turn);
    process.kill(pid!, "SIGKILL");
    const next = await run(warm, nextTurn(turn, "say two"));
    expect(next.said).toEqual(["two"]);
    expect(warm.processes()).toEqual([next.pid]);
  });

  it("and is killed in a turn ends that turn, never runs it again, and the next one works", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn("say one");
    const { pid } = await run(warm, turn);
    const killed = warm.agent.start(nextTurn(turn, script("say two", "hang")));
    await eventually(
      () => warm.played(turn).length,
      (count) => count === 2,
    );
    process.kill(pid!, "SIGKILL");
    const events = await finish(killed);
    expect(events.at(-1)).toMatchObject({
      case: "error",
      value: { reason: ErrorReason.AGENT_EXITED },
    });
    expect((await run(warm, nextTurn(turn, "say three"))).said).toEqual(["three"]);
    expect(warm.played(turn)).toHaveLength(3);
  });
});

describe("an interrupt", () => {
  it.each([
    ["text", script("say begun", "hang")],
    ["a tool", script("say begun", "bash sleep 300")],
  ])("during %s ends the turn and not the process", async (_what, prompt) => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(prompt);
    const running = warm.agent.start(turn);
    await eventually(
      () => warm.played(turn).length,
      (count) => count === 1,
    );
    running.interrupt();
    const events = await finish(running);
    expect(events.at(-1)).toMatchObject({ case: "error", value: { reason: ErrorReason.CANCELED } });
    const { pid } = warm.played(turn)[0]!;
    expect(await eventually(warm.processes, ({ length }) => length === 1)).toEqual([pid]);
    expect((await run(warm, nextTurn(turn, "say next"))).pid).toBe(pid);
  });

  it("that is sent before the process has begun is heard once it has", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script("say begun", "hang"));
    const running = warm.agent.start(turn);
    running.interrupt();
    expect((await finish(running)).at(-1)?.case).toBe("error");
    expect(warm.played(turn)).toHaveLength(1);
  });

  it("takes what waits behind the text with it", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script("say begun", "hang"));
    const running = warm.agent.start(turn);
    await eventually(
      () => warm.played(turn).length,
      (count) => count === 1,
    );
    expect(running.steer("say steered")).toBe(true);
    running.interrupt();
    expect(said(await finish(running))).toEqual(["begun"]);
    const next = await run(warm, nextTurn(turn, "say next"));
    expect(next.said).toEqual(["next"]);
    expect(warm.played(turn).map(({ prompt }) => prompt)).toEqual([turn.prompt, "say next"]);
  });
});

describe("a message for the running turn", () => {
  it.each([
    ["a tool joins it", script("tool message", "say behind"), ["steered", "behind"]],
    ["text is answered in it", script("message", "say before"), ["before", "steered"]],
  ])("that comes during %s", async (_what, prompt, order) => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(prompt);
    const running = warm.agent.start(turn);
    await eventually(
      () => warm.played(turn).length,
      (count) => count === 1,
    );
    expect(running.steer("say steered")).toBe(true);
    const events = await finish(running);
    expect(said(events)).toEqual(order);
    expect(valuesIn(events, "result")).toHaveLength(1);
    expect(running.steer("say late")).toBe(false);
    const next = await run(warm, nextTurn(turn, "say next"));
    expect(next.said).toEqual(["next"]);
    expect(warm.processes()).toHaveLength(1);
  });

  it("that comes before its prompt was handed over comes behind that", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script("tool message", "say behind"));
    const running = warm.agent.start(turn);
    expect(running.steer("say steered")).toBe(true);
    expect(said(await finish(running))).toEqual(["steered", "behind"]);
  });
});

describe("a message for a turn whose process does not take it", () => {
  it("is given, behind the prompt, to the one that replaces it", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn("");
    const taken = join(turn.workspace, "taken");
    await run(warm, { ...turn, prompt: script(`hang-next ${taken}`, "say one") });
    const running = warm.agent.start(nextTurn(turn, script("tool message", "say behind")));
    await eventually(() => existsSync(taken), Boolean);
    expect(running.steer("say steered")).toBe(true);
    expect(said(await finish(running))).toEqual(["steered", "behind"]);
  });
});

describe("work that the agent begins by itself", () => {
  it("is a turn of its own, caused by the one that left the task, with all its events", async () => {
    await using warm = await createWarmAgent();
    const turn = warm.newTurn(script("background 50 say own | delta de | bash echo hi", "say one"));
    await run(warm, turn);
    const works = await eventually(
      () => warm.ownWork,
      ({ length }) => length === 1,
    );
    expect(works).toMatchObject([{ sessionKey: turn.sessionKey, causeTurnId: turn.turnId }]);
    const events = await finish(works[0]!.run);
    const kinds = events.map(({ case: kind }) => kind).filter((kind) => kind !== "notice");
    expect(kinds).toEqual(["session", "text", "textDelta", "tool", "toolResult", "result"]);
    expect(valuesIn(events, "result")).toMatchObject([{ totalCostUsd: 0.25 }]);
    expect((await run(warm, nextTurn(turn, "say next"))).said).toEqual(["next"]);
    expect(warm.processes()).toHaveLength(1);
  });

  it("keeps its process past its idle time", async () => {
    await using warm = await createWarmAgent({ warmMs: 50 });
    const turn = warm.newTurn(script("background 500 say own", "say one"));
    await run(warm, turn);
    const works = await eventually(
      () => warm.ownWork,
      ({ length }) => length === 1,
    );
    expect(said(await finish(works[0]!.run))).toEqual(["own"]);
    expect(await eventually(warm.processes, (pids) => pids.length === 0)).toEqual([]);
  });
});

describe("a spare process", () => {
  const { BYPASS } = PermissionMode;
  const spares = { count: 1, mode: PermissionMode.BYPASS };

  it("takes the first turn of a session, and another one takes its place", async () => {
    await using warm = await createWarmAgent({ spares });
    const { workspace } = warm.newTurn("");
    warm.agent.prepare(async () => workspace);
    const place = await eventually(
      () => warm.agent.reserve("breakglass", "sonnet", BYPASS),
      Boolean,
    );
    const [spare] = warm.processes();
    const turn = warm.newTurn("say one", { ...place!, workspace });
    const first = await run(warm, turn);
    expect(first.pid).toBe(spare);
    expect(valuesIn(first.events, "session")).toMatchObject([{ resumed: false }]);
    expect((await run(warm, nextTurn(turn, "say two"))).pid).toBe(spare);
    expect(await eventually(warm.processes, ({ length }) => length === 2)).toHaveLength(2);
  });

  it("is not given away for another agent, model or mode", async () => {
    await using warm = await createWarmAgent({ spares });
    const { workspace } = warm.newTurn("");
    warm.agent.prepare(async () => workspace);
    const place = await eventually(
      () => warm.agent.reserve("breakglass", "sonnet", BYPASS),
      Boolean,
    );
    place!.release();
    expect(warm.agent.reserve("breakglass", "opus", BYPASS)).toBeUndefined();
    expect(warm.agent.reserve("Explore", "sonnet", BYPASS)).toBeUndefined();
    expect(warm.agent.reserve("breakglass", "sonnet", PermissionMode.ASK)).toBeUndefined();
    expect(warm.agent.reserve("breakglass", "sonnet", BYPASS)).toBeDefined();
    expect(warm.agent.reserve("breakglass", "sonnet", BYPASS)).toBeUndefined();
  });

  it("that has died under its reservation costs the session nothing", async () => {
    await using warm = await createWarmAgent({ spares });
    const { workspace } = warm.newTurn("");
    warm.agent.prepare(async () => workspace);
    const place = await eventually(
      () => warm.agent.reserve("breakglass", "sonnet", BYPASS),
      Boolean,
    );
    for (const pid of warm.processes()) process.kill(pid, "SIGKILL");
    const turn = warm.newTurn("say one", { ...place!, workspace });
    const first = await run(warm, turn);
    expect(first.said).toEqual(["one"]);
    expect(warm.played(turn)).toHaveLength(1);
  });
});
