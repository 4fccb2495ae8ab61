import { expect, it } from "vitest";
import { type AgentUnderTest, finish, nextTurn, valuesIn } from "../agent-under-test.ts";

export function describeConversations(open: () => Promise<AgentUnderTest>): void {
  it("has an id before the terminal event, the one that was chosen for it if one was", async () => {
    await using opened = await open();
    const turn = opened.newTurn("say one");
    const run = opened.agent.start(turn);
    let idAtEnd = "";
    for await (const batch of run.events) if (batch.length > 0) idAtEnd = run.agentSessionId;
    await run.released;
    expect(idAtEnd).not.toBe("");
    if (turn.agentSessionId !== "") expect(idAtEnd).toBe(turn.agentSessionId);
  });

  it("is told of by the session event, and gone on with by another adapter", async () => {
    await using opened = await open();
    const turn = opened.newTurn("say one");
    const run = opened.agent.start(turn);
    const first = valuesIn(await finish(run), "session");
    expect(first).toMatchObject([{ agentSessionId: run.agentSessionId, resumed: false }]);
    await opened.agent.closeIdle();
    if (!opened.agent.capabilities.resume) return;
    const next = opened.another().start(nextTurn(turn, run, "say two"));
    const second = valuesIn(await finish(next), "session");
    expect(second).toMatchObject([{ agentSessionId: run.agentSessionId, resumed: true }]);
  });

  it("is its session's own, in its workspace, and no other's", async () => {
    await using opened = await open();
    const { agent } = opened;
    const [turn, other] = [opened.newTurn("say one"), opened.newTurn("say two")];
    const runs = [agent.start(turn), agent.start(other)] as const;
    await Promise.all(runs.map(finish));
    const [id, otherId] = runs.map(({ agentSessionId }) => agentSessionId);
    expect(id).not.toBe(otherId);
    const isOwn = (each: string) => agent.isOwnConversation(each, turn.sessionKey, turn.workspace);
    expect(await isOwn(id!)).toBe(true);
    expect(await isOwn(otherId!)).toBe(false);
    for (const wrong of ["", "..", "../x", "a/b", "\0"]) expect(await isOwn(wrong)).toBe(false);
  });

  it("is forgotten with all of its ids, and others are not", async () => {
    await using opened = await open();
    const [turn, other] = [opened.newTurn("say one"), opened.newTurn("say two")];
    const [run, kept] = [opened.agent.start(turn), opened.agent.start(other)];
    await Promise.all([finish(run), finish(kept)]);
    await opened.agent.closeIdle();
    await opened.agent.forget([run.agentSessionId, "never there"], turn.workspace);
    if (!opened.agent.capabilities.resume) return;
    const agent = opened.another();
    const next = valuesIn(await finish(agent.start(nextTurn(turn, run, "say two"))), "session");
    expect(next.filter(({ resumed }) => resumed)).toEqual([]);
    const still = await finish(agent.start(nextTurn(other, kept, "say two")));
    expect(valuesIn(still, "session")).toMatchObject([{ resumed: true }]);
  });
}
