import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ApprovalDecision, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect, durable, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { PROTOCOLS } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer } from "../support/test-server.ts";

const UNKNOWN = "00000000-0000-4000-8000-000000000000";

describe.each(PROTOCOLS)("a turn while it runs, over $name", ({ connect }) => {
  it("asks for an approval, is answered once, and is announced to who watches its session", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const sessionId = randomUUID();
    const prompt = script('ask Bash {"n":1}', "say on");
    const request = { sessionId, prompt, permissionMode: PermissionMode.ASK };
    await using reader = new EventReader(client.runTurn(request));
    const { turnId, kind } = await reader.until("approvalRequest");
    if (kind.case !== "approvalRequest") throw new Error("no approval is asked for");
    const { approvalId } = kind.value;
    const waiting = await client.getTurn({ turnId });
    expect(waiting.turn?.state).toBe(TurnState.AWAITING_APPROVAL);
    const value = { inputJson: '{\n  "n": 2\n}' };
    const answer = { turnId, approvalId, decision: { case: "allow", value } } as const;
    expect((await client.resolveApproval(answer)).turn?.turnId).toBe(turnId);
    const events = await reader.rest();
    expect(valuesOf(events, "approvalResolution")).toMatchObject([
      { approvalId, decision: ApprovalDecision.ALLOWED_CHANGED, principal: "local" },
    ]);
    const late = await refusalOf(client.resolveApproval(answer));
    expect(late).toMatchObject({ reason: "APPROVAL_RESOLVED", metadata: { principal: "local" } });
    const unknown = client.resolveApproval({ ...answer, approvalId: UNKNOWN });
    expect(await refusalOf(unknown)).toMatchObject({ reason: "APPROVAL_NOT_FOUND" });

    const left = new AbortController();
    const told: unknown[] = [];
    const watch = client.watchSession({ sessionId }, { signal: left.signal });
    for await (const { cursor, change, caughtUp } of watch) {
      told.push([cursor, change.case, change.value?.turnId]);
      if (caughtUp) break;
    }
    left.abort();
    expect(told).toEqual([
      [1n, "turnStarted", turnId],
      [2n, "turnEnded", turnId],
    ]);
  });

  it("is steered and interrupted, and neither once it has ended", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    await using reader = new EventReader(client.runTurn({ prompt: script("say hi", "hang") }));
    const { turnId } = await reader.until("text");
    const steer = { turnId, message: "look there", requestId: randomUUID() };
    const { sequence } = await client.steerTurn(steer);
    expect((await client.steerTurn(steer)).sequence).toBe(sequence);
    const { turn } = await client.interruptTurn({ turnId });
    expect(turn?.state).toBe(TurnState.CANCELED);
    const events = durable(await collect(client.attachTurn({ turnId })));
    expect(valuesOf(events, "steer")).toMatchObject([{ message: "look there" }]);
    expect(events.at(-1)?.kind.case).toBe("error");

    expect((await client.interruptTurn({ turnId })).turn?.state).toBe(TurnState.CANCELED);
    expect((await client.steerTurn(steer)).sequence).toBe(sequence);
    const late = await refusalOf(client.steerTurn({ ...steer, requestId: "" }));
    expect(late).toMatchObject({ reason: "TURN_ENDED" });
  });
});
