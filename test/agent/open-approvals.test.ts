import { describe, expect, it } from "vitest";
import { ApprovalDecision } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../../src/agent/agent.ts";
import { OpenApprovals } from "../../src/agent/open-approvals.ts";
import { MemoryBudget } from "../../src/stream/memory-budget.ts";

const MIB = 1024 * 1024;
const BYTES_EACH = 1000;
const call = (json = "{}") => ({
  ...{ toolId: "toolu_1", name: "Bash", description: "what it does" },
  input: { json, truncated: false, totalBytes: BigInt(json.length) },
});

/** Asks for one; answers our id of it. */
function ask(approvals: OpenApprovals, requestId: string, json?: string): string {
  const events: EventKind[] = [];
  expect(approvals.open(requestId, call(json), events)).toBe(true);
  const [event] = events;
  if (event?.case !== "approvalRequest") throw new Error("nothing was asked for");
  return event.value.approvalId;
}

describe("approvals that wait", () => {
  it("are asked for by an event each, under ids of their own", () => {
    const approvals = new OpenApprovals(new MemoryBudget(MIB));
    expect(approvals.isEmpty).toBe(true);
    const ids = [ask(approvals, "one"), ask(approvals, "two")];
    expect(new Set(ids).size).toBe(2);
    expect(approvals.isEmpty).toBe(false);
    expect(approvals.requestIds).toEqual(["one", "two"]);
  });

  it("are settled once", () => {
    const memory = new MemoryBudget(MIB);
    const approvals = new OpenApprovals(memory);
    const json = '{"command":"é"}';
    const id = ask(approvals, "one", json);
    expect(memory.taken).toBe(BYTES_EACH + Buffer.byteLength(json));
    expect(approvals.settle(id)).toMatchObject({ requestId: "one", inputJson: json });
    expect(approvals.settle(id)).toBeUndefined();
    expect(memory.taken).toBe(0);
    expect(approvals.isEmpty).toBe(true);
  });

  it("are withdrawn by the agent's id, and all at the end", () => {
    const memory = new MemoryBudget(MIB);
    const approvals = new OpenApprovals(memory);
    const [one, two, three] = ["one", "two", "three"].map((id) => ask(approvals, id));
    const events: EventKind[] = [];
    approvals.withdraw("two", events);
    approvals.withdraw("two", events);
    expect(approvals.requestIds).toEqual(["one", "three"]);
    approvals.close(events);
    expect(events).toMatchObject(
      [two, one, three].map((approvalId) => ({
        case: "approvalResolution",
        value: { approvalId, decision: ApprovalDecision.WITHDRAWN },
      })),
    );
    expect(memory.taken).toBe(0);
  });

  it("are none where there is no memory to wait in", () => {
    const memory = new MemoryBudget(BYTES_EACH + 1);
    const approvals = new OpenApprovals(memory);
    const events: EventKind[] = [];
    expect(approvals.open("one", call("{}"), events)).toBe(false);
    expect(events).toEqual([]);
    expect([approvals.isEmpty, memory.taken]).toEqual([true, 0]);
  });

  it("are a hundred at a time, and ten thousand in a turn", () => {
    const approvals = new OpenApprovals(new MemoryBudget(MIB));
    const ids = Array.from({ length: 100 }, (_, n) => {
      expect(approvals.whyFull()).toBeUndefined();
      return ask(approvals, `${n}`);
    });
    expect(approvals.whyFull()).toBe("100 others wait already");
    for (const id of ids) approvals.settle(id);
    for (let n = 100; n < 10_000; n++) {
      expect(approvals.whyFull()).toBeUndefined();
      approvals.settle(ask(approvals, `${n}`));
    }
    expect(approvals.whyFull()).toBe("10000 were asked about in this turn already");
  });
});
