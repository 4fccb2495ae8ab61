import { expect, it } from "vitest";
import { endLeftProcesses } from "../../../src/agent/process/processes.ts";
import { script } from "../../support/gate.ts";
import { eventually } from "../../support/processes.ts";
import { type AgentUnderTest, finish, follow, nextTurn, valuesIn } from "../agent-under-test.ts";

export function describeProcesses(open: () => Promise<AgentUnderTest>): void {
  /** A run that hangs, heeding nothing. */
  async function hanging(opened: AgentUnderTest) {
    const run = opened.agent.start(opened.newTurn(script("ignore", "say one", "hang")));
    const { events, ended } = follow(run);
    await eventually(
      () => valuesIn(events, "text").length,
      (count) => count === 1,
    );
    return { run, ended };
  }

  it("are on record while they live, and ended by stop, whatever they heed", async () => {
    await using opened = await open();
    const { run, ended } = await hanging(opened);
    expect(opened.recorded.size).toBe(1);
    await Promise.all([run.stop(), run.stop()]);
    expect(opened.processes()).toEqual([]);
    expect(opened.recorded.size).toBe(0);
    await ended;
  });

  it("are none where the run is stopped before it has begun, and its released resolves", async () => {
    await using opened = await open();
    const run = opened.agent.start(opened.newTurn("hang"));
    const { ended } = follow(run);
    await run.stop();
    await ended;
    expect(opened.processes()).toEqual([]);
    expect(opened.recorded.size).toBe(0);
  });

  it("are none behind a look at the program, which tells its version", async () => {
    await using opened = await open();
    const { version, broken, unauthenticated } = await opened.agent.inspect();
    expect(broken).toBeUndefined();
    expect(version).toMatch(/^\d+\.\d+\.\d+/);
    expect(unauthenticated === undefined || unauthenticated.mend !== "").toBe(true);
    expect(opened.processes()).toEqual([]);
    expect(opened.recorded.size).toBe(0);
  });

  it("are ended by whoever comes after a server that was killed", async () => {
    await using opened = await open();
    const { ended } = await hanging(opened);
    const [processId] = opened.recorded;
    await endLeftProcesses(processId!, opened.surroundings);
    expect(opened.processes()).toEqual([]);
    await ended;
  });

  it("are remembered while they are kept, and are not once the session is closed or the agent is to keep none", async () => {
    await using opened = await open();
    const { agent } = opened;
    const turn = opened.newTurn("say one");
    const run = agent.start(turn);
    await finish(run);
    const isKept = opened.processes().length > 0;
    expect(agent.rememberedSessions().includes(turn.sessionKey)).toBe(isKept);
    await agent.close("no session's key");
    await agent.close(turn.sessionKey);
    expect(opened.processes()).toEqual([]);
    expect(agent.rememberedSessions()).toEqual([]);
    await agent.closeIdle();
    await finish(agent.start(nextTurn(turn, run, "say two")));
    await eventually(opened.processes, (pids) => pids.length === 0);
    expect(opened.recorded.size).toBe(0);
  });
}
