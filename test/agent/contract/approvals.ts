import { expect, it } from "vitest";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { AgentRun, EventKind } from "../../../src/agent/agent.ts";
import type { ApprovalAnswer } from "../../../src/turn-requests.ts";
import { eventually } from "../../support/processes.ts";
import { type AgentUnderTest, follow, valuesIn } from "../agent-under-test.ts";

const INPUT = '{"command":"true"}';

export function describeApprovals(open: () => Promise<AgentUnderTest>): void {
  /** Has the agent ask, and answers it. */
  async function ask(opened: AgentUnderTest, answer: ApprovalAnswer): Promise<EventKind[]> {
    const { run, events, ended } = await asked(opened);
    const [request] = valuesIn(events, "approvalRequest");
    expect(request).toMatchObject({ name: "Bash", inputJson: INPUT });
    expect(request!.expireTime).toBeUndefined();
    run.answer("of no approval", { allow: true });
    run.answer(request!.approvalId, answer);
    return ended;
  }

  it("that is allowed has the call made with the input that was asked about", async () => {
    await using opened = await open();
    expect(outputOf(await ask(opened, { allow: true }))).toContain(`ran ${INPUT}`);
  });

  it("that is denied has the call not made, and the turn goes on", async () => {
    await using opened = await open();
    const events = await ask(opened, { allow: false, message: "no" });
    expect(outputOf(events)).not.toContain("ran");
    expect(valuesIn(events, "result")).toHaveLength(1);
  });

  it("that is allowed with another input has the call made with that, if the agent can", async () => {
    await using opened = await open();
    if (!opened.agent.capabilities.changedInput) return;
    const inputJson = '{"command":"false"}';
    expect(outputOf(await ask(opened, { allow: true, inputJson }))).toContain(`ran ${inputJson}`);
  });

  it("is not waited for by a run that is interrupted or stopped, nor is it the model", async () => {
    await using opened = await open();
    for (const end of ["interrupt", "stop"] as const) {
      const { run, ended } = await asked(opened);
      expect(run.waitsForModel).toBe(false);
      await run[end]();
      const results = valuesIn(await ended, "result");
      expect(results.filter(({ isError }) => !isError)).toEqual([]);
    }
  });
}

/** A run that has asked. */
async function asked(opened: AgentUnderTest) {
  const prompt = `ask Bash ${INPUT}`;
  const turn = opened.newTurn(prompt, { permissionMode: PermissionMode.ASK });
  const run: AgentRun = opened.agent.start(turn);
  const { events, ended } = follow(run);
  await eventually(
    () => valuesIn(events, "approvalRequest").length,
    (count) => count === 1,
  );
  return { run, events, ended };
}

/** What the call came to. */
function outputOf(events: readonly EventKind[]): string {
  const said = valuesIn(events, "text").map(({ text }) => text);
  return [...said, ...valuesIn(events, "toolResult").map(({ content }) => content)].join("\n");
}
