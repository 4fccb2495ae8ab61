import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ApprovalDecision } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { approvalResolutionEvent } from "../../src/agent/events.ts";
import type { TurnRecord } from "../../src/store/records.ts";
import { refusalOfLateAnswer } from "../../src/turns/approvals.ts";
import { type EncodedEvent, encodeEvents } from "../../src/turns/encoded-event.ts";

describe("an answer to a turn that has ended", () => {
  it("has nothing of the log decoded but what is about its approval", async () => {
    const ids = { turnId: randomUUID(), sessionId: randomUUID() };
    const approvalId = randomUUID();
    const decided = approvalResolutionEvent(approvalId, ApprovalDecision.EXPIRED);
    // To decode it would throw.
    const other = Buffer.from("no event at all");
    const log: EncodedEvent[] = [other, ...encodeEvents(ids, 2, 0, [decided]), other];
    const store = { readEvents: async (_: string, after: number) => log.slice(after, after + 1) };
    const turn = { ...ids, permissionMode: PermissionMode.ASK, origin: TurnOrigin.CALLER };
    const answer = (id: string) => refusalOfLateAnswer(store, turn as TurnRecord, id);
    expect(await answer(approvalId)).toMatchObject({ reason: "APPROVAL_EXPIRED" });
    expect(await answer(randomUUID())).toMatchObject({ reason: "APPROVAL_NOT_FOUND" });
  });
});
