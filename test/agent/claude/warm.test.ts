import { mkdirSync, renameSync, rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ErrorReason, NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { AgentTurn } from "../../../src/agent/agent.ts";
import { createGate, script } from "../../support/gate.ts";
import { eventually } from "../../support/processes.ts";
import { createWarmAgent, finish, nextTurn, run, said, valuesIn } from "./warm-agent.ts";

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
