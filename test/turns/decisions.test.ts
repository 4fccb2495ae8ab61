import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import {
  ApprovalDecision,
  ApprovalResolutionEventSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { EventKind } from "../../src/agent/agent.ts";
import type { TurnRecord } from "../../src/store/records.ts";
import { Approvals, decisionOf, refusalOfLateAnswer } from "../../src/turns/approvals.ts";
import { encodeEvents } from "../../src/turns/encoded-event.ts";
import { eventually } from "../support/processes.ts";
import { HOUR_MS, request, text } from "./driven-turns.ts";

const NOT_FOUND = expect.objectContaining({ reason: "APPROVAL_NOT_FOUND" });
const ALLOWED = { decision: ApprovalDecision.ALLOWED };

function withdrawal(approvalId: string): EventKind {
  const value = create(ApprovalResolutionEventSchema, {
    approvalId,
    decision: ApprovalDecision.WITHDRAWN,
  });
  return { case: "approvalResolution", value };
}

/** Those of a turn that has asked for some, and which of them have expired. */
function asked(...ids: string[]) {
  const expired: string[] = [];
  const approvals = new Approvals(
    (id) => void expired.push(id),
    () => {},
  );
  for (const [index, id] of ids.entries()) {
    expect(approvals.note(request(id), HOUR_MS, index + 1)).toBe(true);
  }
  return { approvals, expired };
}

const refusal = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
};

describe("a turn's approvals", () => {
  it("wait until they are decided, each once", () => {
    const { approvals } = asked("a", "b");
    expect(approvals.isEmpty).toBe(false);
    expect(approvals.decide("a", ALLOWED, "alice")).toMatchObject({
      case: "approvalResolution",
      value: { approvalId: "a", principal: "alice", ...ALLOWED },
    });
    expect(refusal(() => approvals.decide("a", ALLOWED, "bob"))).toMatchObject({
      reason: "APPROVAL_RESOLVED",
      message: "the approval was decided by alice: ALLOWED",
      details: { metadata: { principal: "alice", decision: "ALLOWED" } },
    });
    expect(refusal(() => approvals.check("b"))).toBeUndefined();
    expect(refusal(() => approvals.check("c"))).toEqual(NOT_FOUND);
    const withdrawn = { approvalId: "b", principal: "", decision: ApprovalDecision.WITHDRAWN };
    expect(approvals.withdrawAll()).toMatchObject([{ value: withdrawn }]);
    expect(approvals.withdrawAll()).toEqual([]);
    expect(approvals.isEmpty).toBe(true);
  });

  it("say what is new: a withdrawal of what waits, and nothing of what does not", () => {
    const { approvals } = asked("a");
    expect(approvals.note(text(), HOUR_MS, 1)).toBe(true);
    expect(approvals.note(withdrawal("never asked"), HOUR_MS, 1)).toBe(false);
    expect(refusal(() => approvals.check("never asked"))).toEqual(NOT_FOUND);
    expect(approvals.note(withdrawal("a"), HOUR_MS, 1)).toBe(true);
    expect(approvals.note(withdrawal("a"), HOUR_MS, 1)).toBe(false);
    expect(refusal(() => approvals.check("a"))).toMatchObject({
      reason: "APPROVAL_RESOLVED",
      message: "the agent no longer asks for the approval",
    });
  });

  it("expire, unless they are decided before, and say until when they wait", async () => {
    const { approvals, expired } = asked();
    const [late, soon] = [request("late"), request("soon")];
    const before = Date.now();
    approvals.note(late, 20, 1);
    approvals.note(soon, 10, 1);
    if (late.case !== "approvalRequest") throw new Error("it asks for nothing");
    expect(timestampMs(late.value.expireTime!) - before).toBeGreaterThanOrEqual(20);
    approvals.decide("soon", ALLOWED, "alice");
    await eventually(
      () => expired,
      ({ length }) => length > 0,
    );
    expect(expired).toEqual(["late"]);
    approvals.decide("late", { decision: ApprovalDecision.EXPIRED });
    expect(refusal(() => approvals.check("late"))).toMatchObject({ reason: "APPROVAL_EXPIRED" });
  });

  it("forget what does not go on record, the newest first", () => {
    const { approvals } = asked("a");
    const decided = approvals.decide("a", ALLOWED, "alice");
    const more = request("b");
    approvals.note(more, HOUR_MS, 1);
    approvals.undo([decided, text(), more]);
    expect(refusal(() => approvals.check("a"))).toBeUndefined();
    expect(refusal(() => approvals.check("b"))).toEqual(NOT_FOUND);
    // What was asked and decided since is forgotten too.
    const again = approvals.decide("a", ALLOWED, "bob");
    approvals.undo([request("a"), again]);
    expect(approvals.isEmpty).toBe(true);
    expect(refusal(() => approvals.check("a"))).toEqual(NOT_FOUND);
  });
});

describe("an answer to a turn that has ended", () => {
  const ids = { turnId: randomUUID(), sessionId: randomUUID() };
  const [decided, left] = [randomUUID(), randomUUID()];
  const value = { approvalId: decided, principal: "alice", ...ALLOWED };
  const resolution: EventKind = {
    case: "approvalResolution",
    value: create(ApprovalResolutionEventSchema, value),
  };
  const kinds = [request(decided), text(), request(left), resolution, text()];
  const log = encodeEvents(ids, 1, 0, kinds);
  const store = { readEvents: async (_: string, after: number) => log.slice(after, after + 2) };
  const refused = (approvalId: string, permissionMode: PermissionMode = PermissionMode.ASK) =>
    refusalOfLateAnswer(store, { ...ids, permissionMode } as TurnRecord, approvalId);

  it("is refused by what its log says of the approval last", async () => {
    expect(await refused(decided)).toMatchObject({
      reason: "APPROVAL_RESOLVED",
      details: { metadata: { principal: "alice", decision: "ALLOWED" } },
    });
    expect(await refused(left)).toMatchObject({ reason: "TURN_ENDED" });
    expect(await refused(randomUUID())).toEqual(NOT_FOUND);
    // Of a part of an id nothing is said, though the bytes hold it.
    expect(await refused(decided.slice(0, 8))).toEqual(NOT_FOUND);
    expect(await refused(left.slice(0, 8))).toEqual(NOT_FOUND);
  });

  it("is not even looked for where the turn asked for none", async () => {
    expect(await refused(decided, PermissionMode.BYPASS)).toEqual(NOT_FOUND);
  });
});

describe("an answer", () => {
  it.each([
    [{ allow: true }, { decision: ApprovalDecision.ALLOWED }],
    [
      { allow: true, inputJson: "{}" },
      { decision: ApprovalDecision.ALLOWED_CHANGED, inputJson: "{}" },
    ],
    [
      { allow: false, message: "no" },
      { decision: ApprovalDecision.DENIED, message: "no" },
    ],
  ] as const)("%j is a decision", (answer, decision) => {
    expect(decisionOf(answer)).toEqual(decision);
  });
});
