import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ApprovalDecision, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { callerNamed } from "../support/caller.ts";
import { cases, valuesOf } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { PRINCIPAL, pass, request, result, startDrivenTurns, text } from "./driven-turns.ts";

const STORAGE = { reason: "STORAGE" };
const ALLOW = { allow: true } as const;

/** A turn that waits for an approval, which is on disk; from then on the disk takes nothing, and nothing is asked of it yet. */
async function begin() {
  const driven = await startDrivenTurns();
  const { turnId, run } = await driven.begin();
  run.give([request("a")]);
  await eventually(
    () => driven.readLog(turnId),
    ({ length }) => length === 1,
  );
  await driven.fillDisk();
  driven.store.isHeld = true;
  const answer = { turnId, approvalId: "a", answer: ALLOW };
  return {
    ...{ driven, turnId, run },
    steer: (requestId = "") => {
      return driven.turns.steer(
        { turnId, message: "look there", requestId },
        callerNamed(PRINCIPAL),
      );
    },
    answer: () => driven.turns.resolveApproval(answer, callerNamed(PRINCIPAL)),
    /** Lets what was asked by now come to the turn, but not to the disk. */
    async reach(): Promise<void> {
      while (!driven.store.waiting.includes("append")) {
        driven.store.release(1);
        await pass();
        driven.store.answer();
        await pass();
      }
    },
    async letGo(): Promise<void> {
      driven.store.isHeld = false;
      await driven.store.settle();
    },
    [Symbol.asyncDispose]: () => driven[Symbol.asyncDispose](),
  };
}

describe("an answer that is not on disk as its turn ends", () => {
  it.each([
    ["its agent's result", TurnState.SUCCEEDED],
    ["the server's", TurnState.LOST],
  ])("does not count, as its answerer was told, where the end is %s", async (_, state) => {
    await using begun = await begin();
    const { driven, turnId, run } = begun;
    const answered = begun.answer();
    await begun.reach();
    if (state === TurnState.LOST) void driven.turns.drain(0);
    else run.give([result()]);
    await eventually(
      () => driven.store.waiting.length > 1 || run.isOver,
      (isEnding) => isEnding,
    );
    run.leave();
    await Promise.all([expect(answered).rejects.toMatchObject(STORAGE), begun.letGo()]);
    expect(run.answers).toEqual([]);
    await expect(begun.answer()).rejects.toMatchObject({
      reason: "APPROVAL_RESOLVED",
      details: { metadata: { decision: "WITHDRAWN", principal: "" } },
    });
    await driven.clearDisk();
    expect((await driven.ended(turnId)).state).toBe(state);
    const log = await driven.readLog(turnId);
    expect(log.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(valuesOf(log, "approvalResolution")).toMatchObject([
      { approvalId: "a", decision: ApprovalDecision.WITHDRAWN, principal: "" },
    ]);
  });
});

describe("a message that is not on disk as its turn ends", () => {
  it("was handed to the agent, and is on record with what came behind it", async () => {
    await using begun = await begin();
    const { driven, turnId, run } = begun;
    const requestId = randomUUID();
    const steered = begun.steer(requestId);
    await begun.reach();
    run.give([text(), result()]);
    run.leave();
    await pass();
    const message = expect.stringContaining("the agent has the message");
    await Promise.all([
      expect(steered).rejects.toMatchObject({ ...STORAGE, message }),
      begun.letGo(),
    ]);
    // Nor is it known yet.
    await expect(begun.steer(requestId)).rejects.toMatchObject(STORAGE);
    expect(run.steered).toEqual(["look there"]);
    await driven.clearDisk();
    await driven.ended(turnId);
    const log = await driven.readLog(turnId);
    expect(cases(log)).toEqual([
      ...["approvalRequest", "steer", "text", "approvalResolution", "result"],
    ]);
    expect((await begun.steer(requestId)).sequence).toBe(2);
  });

  it("is on record where only what came behind it is not", async () => {
    await using begun = await begin();
    const { driven, turnId, run } = begun;
    await driven.clearDisk();
    const steered = begun.steer();
    await begun.reach();
    run.give([text()]);
    while (driven.store.waiting.length < 2) await pass();
    // All in one commit, and answered at once.
    driven.store.release(1);
    const filled = driven.fillDisk();
    driven.store.release(1);
    await filled;
    await begun.letGo();
    expect((await steered).sequence).toBe(2);
    await driven.clearDisk();
    await driven.ended(turnId);
    expect(cases(await driven.readLog(turnId)).slice(0, 2)).toEqual(["approvalRequest", "steer"]);
  });
});
