import { setImmediate as nextLoop } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { callerNamed, nameOf } from "../support/caller.ts";
import { DrivenAgent } from "./driven-agent.ts";
import { PRINCIPAL, REQUEST, result, session, startDrivenTurns } from "./driven-turns.ts";

const FORGETFUL = { resume: false };

describe("an agent that cannot go on with a conversation whose process has ended", () => {
  it("is refused a session's next turn, unless a process remembers it", async () => {
    await using driven = await startDrivenTurns({}, new DrivenAgent(FORGETFUL));
    const { turns, agent } = driven;
    const { turnId, run } = await driven.begin();
    run.give([result()]);
    const { sessionId } = await driven.ended(turnId);
    run.leave();
    const next = { ...REQUEST, sessionId, prompt: "next" };
    await expect(turns.run(next, callerNamed(PRINCIPAL))).rejects.toMatchObject({
      reason: "UNSUPPORTED_BY_AGENT",
      details: { metadata: { agent_kind: "driven", capability: "resume" } },
    });
    expect(
      (await turns.getSession(nameOf(PRINCIPAL, sessionId), callerNamed(PRINCIPAL))).turnCount,
    ).toBe(1);
    agent.remembered.add(run.turn!.sessionKey);
    await turns.run(next, callerNamed(PRINCIPAL));
    await agent.runOf("next").started;
  });

  it("is not handed a turn whose conversation has been forgotten since it was recorded", async () => {
    await using driven = await startDrivenTurns({}, new DrivenAgent(FORGETFUL));
    const { turns, agent } = driven;
    const { turnId, run } = await driven.begin();
    agent.remembered.add(run.turn!.sessionKey);
    const last = Promise.withResolvers<void>();
    run.lastProcess = last.promise;
    run.give([result()]);
    const { sessionId } = await driven.ended(turnId);
    run.leave();
    // It waits for the process of the turn before, which ends.
    const next = await turns.run({ ...REQUEST, sessionId, prompt: "next" }, callerNamed(PRINCIPAL));
    agent.remembered.clear();
    last.resolve();
    expect(await driven.ended(next.turnId)).toMatchObject({
      ...{ state: TurnState.FAILED, errorReason: ErrorReason.UNSUPPORTED_BY_AGENT },
    });
    expect(agent.runOf("next").turn).toBeUndefined();
  });
});

describe("an agent that gives its conversation's id when it answers", () => {
  it("is handed the first turn without one, and what it gave with the next", async () => {
    const agent = new DrivenAgent();
    agent.chooseConversation = () => "";
    await using driven = await startDrivenTurns({}, agent);
    const { turnId, run } = await driven.begin();
    expect(run.turn!.agentSessionId).toBe("");
    const before = await driven.turns.getTurn(turnId, callerNamed(PRINCIPAL));
    const { sessionId } = before;
    run.agentSessionId = "its own";
    run.give([session("its own")]);
    run.give([result()]);
    run.leave();
    await driven.ended(turnId);
    const found = await driven.turns.getSession(
      nameOf(PRINCIPAL, sessionId),
      callerNamed(PRINCIPAL),
    );
    expect(found.agentSessionId).toBe("its own");
    const next = await driven.begin({ sessionId });
    expect(next.run.turn!.agentSessionId).toBe("its own");
    const kinds = (await driven.readLog(next.turnId)).map(({ kind }) => kind.case);
    expect(kinds).toEqual([]);
  });

  it("has none on record that it gave and that is another session's", async () => {
    const agent = new DrivenAgent();
    agent.chooseConversation = () => "";
    await using driven = await startDrivenTurns({}, agent);
    const [one, other] = [await driven.begin(), await driven.begin()];
    for (const { turnId, run } of [one, other]) {
      run.agentSessionId = "the same";
      run.give([session("the same")]);
      run.give([result()]);
      run.leave();
      await driven.ended(turnId);
      await nextLoop();
    }
    const log = await driven.readLog(other.turnId);
    expect(log.map(({ kind }) => kind.case)).toEqual(["notice", "session", "result"]);
    expect(log[1]?.kind.value).toMatchObject({ agentSessionId: "" });
  });
});
