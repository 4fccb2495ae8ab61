import { describe, expect, it } from "vitest";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import { script } from "../../support/gate.ts";
import { eventually } from "../../support/processes.ts";
import { createWarmAgent, finish, nextTurn, run, said, valuesIn } from "./warm-agent.ts";

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
