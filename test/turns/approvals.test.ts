import { timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { ApprovalDecision, ErrorReason } from "../../gen/breakglass/v1/event_pb.ts";
import { callerNamed } from "../support/caller.ts";
import { cases, valuesOf } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import {
  type DrivenTurns,
  HOUR_MS,
  PRINCIPAL,
  pass,
  request,
  startDrivenTurns,
} from "./driven-turns.ts";

const ALLOW = { allow: true } as const;
const APPROVER = "approver";
const NOT_ALLOWED = { reason: "NOT_ALLOWED" };

/** Begins a turn that asks for the approval `a`, which is on disk. */
async function beginAsking(driven: DrivenTurns, principal = PRINCIPAL) {
  const turn = await driven.begin({}, principal);
  turn.run.give([request("a")]);
  const [asked] = await eventually(
    () => driven.readLog(turn.turnId),
    ({ length }) => length === 1,
  );
  return {
    ...turn,
    asked: asked!,
    answer: { turnId: turn.turnId, approvalId: "a", answer: ALLOW },
  };
}

describe("an approver", () => {
  const settings = { approvers: [APPROVER], selfApproval: "forbidden" } as const;

  it("answers for others' turns, and not for his own where that is forbidden", async () => {
    await using driven = await startDrivenTurns(settings);
    const own = await beginAsking(driven, APPROVER);
    const forbidden = driven.turns.resolveApproval(own.answer, callerNamed(APPROVER));
    await expect(forbidden).rejects.toMatchObject({ reason: "SELF_APPROVAL_FORBIDDEN" });
    expect(own.run.answers).toEqual([]);
    const other = await beginAsking(driven);
    await driven.turns.resolveApproval(other.answer, callerNamed(APPROVER));
    expect(other.run.answers).toEqual([["a", ALLOW]]);
  });

  it("reads and answers for others' turns, and can neither end nor steer them", async () => {
    await using driven = await startDrivenTurns(settings);
    const { turnId, run } = await beginAsking(driven);
    const { turns } = driven;
    await expect(turns.cancel(turnId, callerNamed(APPROVER))).rejects.toMatchObject(NOT_ALLOWED);
    await expect(turns.interrupt(turnId, callerNamed(APPROVER))).rejects.toMatchObject(NOT_ALLOWED);
    const steer = { turnId, message: "stop", requestId: "" };
    await expect(turns.steer(steer, callerNamed(APPROVER))).rejects.toMatchObject(NOT_ALLOWED);
    expect(run).toMatchObject({ isOver: false, interrupts: 0, steered: [] });
    expect(await turns.getTurn(turnId, callerNamed(APPROVER))).toMatchObject({ turnId });
  });
});

describe("an answer to an approval", () => {
  it("is on disk before the agent hears of it", async () => {
    await using driven = await startDrivenTurns();
    const { answer, run } = await beginAsking(driven);
    const { store } = driven;
    store.isHeld = true;
    const answered = driven.turns.resolveApproval(answer, callerNamed(PRINCIPAL));
    await eventually(
      () => {
        if (!store.waiting.includes("append")) store.release(1);
        store.answer();
        return store.waiting;
      },
      (calls) => calls.includes("append"),
    );
    await pass();
    expect(run.answers).toEqual([]);
    store.isHeld = false;
    store.release(1);
    await answered;
    expect(run.answers).toEqual([["a", ALLOW]]);
  });

  it("that the store does not take the agent never hears, and the end withdraws what was asked", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, answer, run } = await beginAsking(driven);
    await driven.fillDisk();
    const answered = driven.turns.resolveApproval(answer, callerNamed(PRINCIPAL));
    await expect(answered).rejects.toMatchObject({ reason: "STORAGE" });
    const again = await driven.turns
      .resolveApproval(answer, callerNamed(PRINCIPAL))
      .catch((error) => error);
    expect(again.reason).toMatch(/^(TURN_ENDED|APPROVAL_RESOLVED)$/);
    // It is nobody's answer.
    expect(again.details.metadata?.principal ?? "").toBe("");
    await driven.clearDisk();
    expect(await driven.ended(turnId)).toMatchObject({ errorReason: ErrorReason.STORAGE });
    const log = await driven.readLog(turnId);
    expect(cases(log)).toEqual(["approvalRequest", "approvalResolution", "error"]);
    expect(valuesOf(log, "approvalResolution")).toMatchObject([
      { approvalId: "a", decision: ApprovalDecision.WITHDRAWN, principal: "" },
    ]);
    expect(run.answers).toEqual([]);
  });
});

describe("an approval that waits", () => {
  it("keeps the agent's silence from ending the turn", async () => {
    const limits = { approvalMs: 300, idleTimeoutMs: 20 };
    await using driven = await startDrivenTurns({ limits });
    const { turnId, run } = await driven.begin();
    run.give([request("a")]);
    expect(await driven.ended(turnId)).toMatchObject({ errorReason: ErrorReason.IDLE_TIMEOUT });
    const log = await driven.readLog(turnId);
    expect(valuesOf(log, "approvalResolution")).toMatchObject([
      { decision: ApprovalDecision.EXPIRED },
    ]);
  });

  it("expires with its turn's time at the latest", async () => {
    await using driven = await startDrivenTurns({ limits: { approvalMs: 10 * HOUR_MS } });
    const { asked } = await beginAsking(driven);
    const [{ expireTime } = {}] = valuesOf([asked], "approvalRequest");
    const waitsMs = timestampMs(expireTime!) - timestampMs(asked.createTime!);
    expect(waitsMs).toBeLessThanOrEqual(HOUR_MS);
    expect(waitsMs).toBeGreaterThan(HOUR_MS / 2);
  });
});

describe("the list of approvals", () => {
  const settings = { approvers: [APPROVER], selfApproval: "forbidden" } as const;
  const shown = (page: Awaited<ReturnType<DrivenTurns["turns"]["listApprovals"]>>) =>
    page.items.map(({ event, turn, mayResolve }) => [
      turn.turnId,
      event.kind.case === "approvalRequest" && event.kind.value.approvalId,
      mayResolve,
    ]);

  it("has what waits in one's own turns and, for an approver, in others' that ask", async () => {
    await using driven = await startDrivenTurns(settings);
    const { turns } = driven;
    const [alice, own] = [await beginAsking(driven), await beginAsking(driven, APPROVER)];
    const mine = await turns.listApprovals(callerNamed(PRINCIPAL), 10, undefined);
    expect(shown(mine)).toEqual([[alice.turnId, "a", false]]);
    expect(mine.items[0]?.event).toMatchObject({ sequence: 1, turnId: alice.turnId });
    const seen = shown(await turns.listApprovals(callerNamed(APPROVER), 10, undefined));
    expect(seen.toSorted()).toEqual(
      [
        [alice.turnId, "a", true],
        [own.turnId, "a", false],
      ].toSorted(),
    );
    expect(shown(await turns.listApprovals(callerNamed("stranger"), 10, undefined))).toEqual([]);
    await turns.resolveApproval(alice.answer, callerNamed(APPROVER));
    expect(shown(await turns.listApprovals(callerNamed(PRINCIPAL), 10, undefined))).toEqual([]);
  });

  it("comes in pages that neither repeat nor skip what waits in a turn", async () => {
    await using driven = await startDrivenTurns(settings);
    const { turns } = driven;
    const { turnId, run } = await beginAsking(driven);
    run.give([request("b"), request("c")]);
    await eventually(
      () => driven.readLog(turnId),
      ({ length }) => length === 3,
    );
    const other = await beginAsking(driven);
    const found: unknown[] = [];
    let page = await turns.listApprovals(callerNamed(APPROVER), 1, undefined);
    for (found.push(...shown(page)); page.next !== undefined; found.push(...shown(page))) {
      page = await turns.listApprovals(callerNamed(APPROVER), 1, page.next);
    }
    const all = shown(await turns.listApprovals(callerNamed(APPROVER), 10, undefined));
    expect(all).toHaveLength(4);
    expect(found).toEqual(all);
    expect(all.filter(([turn]) => turn === turnId).map(([, id]) => id)).toEqual(["a", "b", "c"]);
    expect(all).toContainEqual([other.turnId, "a", true]);
  });
});
