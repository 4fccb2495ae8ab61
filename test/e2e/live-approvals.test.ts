import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ApprovalDecision, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { EventReader } from "../support/event-reader.ts";
import { bytesOf, cases, collect, durable, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { tokenLine } from "../support/test-server.ts";
import { pidOf, startLiveServer } from "./live-server.ts";

const permissionMode = PermissionMode.ASK;
const PROMPT = script("pid", 'ask Bash {"command":"reboot"}', "say on");

/** Reads on until the turn asks. */
async function asked(reader: EventReader) {
  const { turnId, sessionId, kind } = await reader.until("approvalRequest");
  if (kind.case !== "approvalRequest") throw new Error("not asked");
  return { turnId, sessionId, approvalId: kind.value.approvalId, request: kind.value };
}

const allow = (inputJson?: string) =>
  ({ case: "allow", value: inputJson === undefined ? {} : { inputJson } }) as const;
const deny = (message = "") => ({ case: "deny", value: { message } }) as const;

describe("a turn in the mode ASK", () => {
  it.each([
    ["allowed", allow(), ApprovalDecision.ALLOWED, /^ran .*reboot/, false],
    [
      "allowed with another input",
      allow('{"command":"uptime"}'),
      ApprovalDecision.ALLOWED_CHANGED,
      /^ran \{"command":"uptime"\}$/,
      false,
    ],
    ["denied", deny("not today"), ApprovalDecision.DENIED, /^not today$/, true],
  ])("has its tool call %s", async (_what, decision, expected, content, isError) => {
    await using live = await startLiveServer();
    const reader = live.open({ prompt: PROMPT, permissionMode });
    const { turnId, approvalId, request } = await asked(reader);
    expect(request).toMatchObject({ name: "Bash", toolId: expect.stringMatching(/./) });
    expect(request.inputJson).toBe('{"command":"reboot"}');
    expect(request.expireTime).toBeDefined();
    const { turn } = await live.client.getTurn({ turnId });
    expect(turn).toMatchObject({ state: TurnState.AWAITING_APPROVAL, permissionMode });
    const answer = await live.client.resolveApproval({ turnId, approvalId, decision });
    expect(answer.turn?.turnId).toBe(turnId);
    const events = await reader.rest();
    expect(valuesOf(events, "approvalResolution")).toMatchObject([
      { approvalId, decision: expected, principal: "local" },
    ]);
    expect(valuesOf(events, "toolResult")).toMatchObject([
      { content: expect.stringMatching(content), isError },
    ]);
    const ended = (await live.client.getTurn({ turnId })).turn;
    expect(ended).toMatchObject({
      state: TurnState.SUCCEEDED,
      permissionDenialCount: isError ? 1 : 0,
    });
    expect(valuesOf(events, "result")[0]?.permissionDenials).toHaveLength(isError ? 1 : 0);
  });

  it("is denied its tool call where nobody answers in time", async () => {
    await using live = await startLiveServer({ BREAKGLASS_APPROVAL_SECONDS: "1" });
    const reader = live.open({ prompt: PROMPT, permissionMode });
    const { turnId, approvalId } = await asked(reader);
    const events = await reader.rest();
    expect(valuesOf(events, "approvalResolution")).toMatchObject([
      { approvalId, decision: ApprovalDecision.EXPIRED, principal: "" },
    ]);
    expect(valuesOf(events, "toolResult")).toMatchObject([{ isError: true }]);
    const late = live.client.resolveApproval({ turnId, approvalId, decision: allow() });
    expect(await refusalOf(late)).toMatchObject({
      code: "FailedPrecondition",
      reason: "APPROVAL_EXPIRED",
    });
  });

  it("takes the first of two answers, and tells the second whose that was", async () => {
    await using live = await startLiveServer();
    const reader = live.open({ prompt: PROMPT, permissionMode });
    const { turnId, approvalId } = await asked(reader);
    await live.client.resolveApproval({ turnId, approvalId, decision: deny() });
    const second = live.client.resolveApproval({ turnId, approvalId, decision: allow() });
    const refusal = {
      code: "FailedPrecondition",
      reason: "APPROVAL_RESOLVED",
      metadata: expect.objectContaining({ principal: "local" }),
    };
    expect(await refusalOf(second)).toMatchObject(refusal);
    expect(valuesOf(await reader.rest(), "approvalResolution")).toHaveLength(1);
    const third = live.client.resolveApproval({ turnId, approvalId, decision: allow() });
    expect(await refusalOf(third)).toMatchObject(refusal);
  });

  it("takes exactly one of many answers at the same moment, and does as that says", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    for (let round = 0; round < 5; round++) {
      const reader = live.open({ sessionId, prompt: PROMPT, permissionMode });
      const { turnId, approvalId } = await asked(reader);
      const decisions = Array.from({ length: 6 }, (_, n) => (n % 2 === 0 ? allow() : deny()));
      const answers = await Promise.allSettled(
        decisions.map((decision) => live.client.resolveApproval({ turnId, approvalId, decision })),
      );
      const winners = decisions.filter((_, n) => answers[n]!.status === "fulfilled");
      expect(winners).toHaveLength(1);
      const events = await reader.rest();
      const isAllowed = winners[0]!.case === "allow";
      expect(valuesOf(events, "approvalResolution")).toMatchObject([
        { decision: isAllowed ? ApprovalDecision.ALLOWED : ApprovalDecision.DENIED },
      ]);
      expect(valuesOf(events, "toolResult")).toMatchObject([{ isError: !isAllowed }]);
    }
  });

  it("refuses answers to what it did not ask, and inputs that are no object, and still waits", async () => {
    await using live = await startLiveServer();
    const reader = live.open({ prompt: PROMPT, permissionMode });
    const { turnId, approvalId } = await asked(reader);
    const unknown = { turnId, approvalId: randomUUID(), decision: allow() };
    expect(await refusalOf(live.client.resolveApproval(unknown))).toMatchObject({
      code: "NotFound",
      reason: "APPROVAL_NOT_FOUND",
    });
    for (const inputJson of ["[]", "1", '"x"', "null", "{", "", '{"a":1} {}']) {
      const wrong = { turnId, approvalId, decision: allow(inputJson) };
      expect(await refusalOf(live.client.resolveApproval(wrong))).toMatchObject({
        code: "InvalidArgument",
      });
    }
    const none = live.client.resolveApproval({ turnId, approvalId });
    expect(await refusalOf(none)).toMatchObject({ code: "InvalidArgument" });
    const { turn } = await live.client.getTurn({ turnId });
    expect(turn?.state).toBe(TurnState.AWAITING_APPROVAL);
    await live.client.resolveApproval({ turnId, approvalId, decision: allow() });
    expect(cases(await reader.rest()).at(-1)).toBe("result");
  });

  it("waits for its answer without its caller, who comes back and gives it", async () => {
    await using live = await startLiveServer();
    const reader = live.open({ prompt: PROMPT, permissionMode });
    const { turnId, approvalId } = await asked(reader);
    await reader[Symbol.asyncDispose]();
    using other = connect(live.server.url);
    const events: Awaited<ReturnType<typeof collect>> = [];
    for await (const { event } of other.client.attachTurn({ turnId })) {
      events.push(event!);
      if (event?.kind.case !== "approvalRequest") continue;
      await other.client.resolveApproval({ turnId, approvalId, decision: allow() });
    }
    expect(cases(events).at(-1)).toBe("result");
    const again = await collect(live.client.attachTurn({ turnId }));
    expect(bytesOf(durable(again))).toEqual(bytesOf(durable(events)));
  });

  it("withdraws its question when it is interrupted, and its process lives on", async () => {
    await using live = await startLiveServer();
    const reader = live.open({ prompt: PROMPT, permissionMode });
    const { turnId, sessionId, approvalId } = await asked(reader);
    const { turn } = await live.client.interruptTurn({ turnId });
    expect(turn?.state).toBe(TurnState.CANCELED);
    const events = await reader.rest();
    expect(valuesOf(events, "approvalResolution")).toMatchObject([
      { approvalId, decision: ApprovalDecision.WITHDRAWN },
    ]);
    const late = live.client.resolveApproval({ turnId, approvalId, decision: allow() });
    expect(await refusalOf(late)).toMatchObject({ code: "FailedPrecondition" });
    expect(pidOf(await live.run({ sessionId, prompt: "pid", permissionMode }))).toBe(pidOf(events));
  });

  it("ends with its question where it is canceled", async () => {
    await using live = await startLiveServer();
    const reader = live.open({ prompt: PROMPT, permissionMode });
    const { turnId } = await asked(reader);
    expect((await live.client.cancelTurn({ turnId })).turn?.state).toBe(TurnState.CANCELED);
    const events = await reader.rest();
    expect(cases(events).at(-1)).toBe("error");
    expect(valuesOf(events, "approvalResolution")).toMatchObject([
      { decision: ApprovalDecision.WITHDRAWN },
    ]);
    expect(live.server.processes()).toEqual([]);
  });

  it("is LOST with the server like any other, and takes no answer any more", async () => {
    await using live = await startLiveServer();
    const reader = live.open({ prompt: PROMPT, permissionMode });
    const { turnId, approvalId } = await asked(reader);
    const rest = reader.rest().catch(() => []);
    await live.server.restart();
    await rest;
    using after = connect(live.server.url);
    const { turn } = await after.client.getTurn({ turnId });
    expect(turn?.state).toBe(TurnState.LOST);
    const late = after.client.resolveApproval({ turnId, approvalId, decision: allow() });
    expect(await refusalOf(late)).toMatchObject({ code: "FailedPrecondition" });
  });

  it("has a process of its own between turns in the other mode, in one conversation", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    const bypass = script("pid", 'ask Bash {"n":1}');
    const first = await live.run({ sessionId, prompt: bypass });
    expect(valuesOf(first, "approvalRequest")).toEqual([]);
    const reader = live.open({ sessionId, prompt: PROMPT, permissionMode });
    const { turnId, approvalId } = await asked(reader);
    await live.client.resolveApproval({ turnId, approvalId, decision: allow() });
    const asking = pidOf(await reader.rest());
    expect(asking).not.toBe(pidOf(first));
    const last = await live.run({ sessionId, prompt: bypass });
    expect(valuesOf(last, "approvalRequest")).toEqual([]);
    expect(new Set([pidOf(first), asking, pidOf(last)]).size).toBe(3);
    expect(valuesOf(last, "session")).toMatchObject([{ resumed: true }]);
  });
});

describe("a server whose turns ask", () => {
  it("refuses the mode BYPASS, and asks where none is named", async () => {
    await using live = await startLiveServer({ BREAKGLASS_PERMISSION_MODE: "ask" });
    const refused = live.client.runTurn({ prompt: "x", permissionMode: PermissionMode.BYPASS });
    expect(await refusalOf(refused)).toMatchObject({
      code: "PermissionDenied",
      reason: "BYPASS_FORBIDDEN",
    });
    const reader = live.open({ prompt: PROMPT });
    const { turnId } = await asked(reader);
    await live.client.cancelTurn({ turnId });
  });

  it("lets an approver answer for others' turns, and nobody for their own where that is forbidden", async () => {
    const tokensFile = join(tmpdir(), `breakglass-test-${randomUUID()}`);
    const tokens = ["alice", "bob", "carol"].map((name) => tokenLine(`${name}-token`, name));
    await writeFile(tokensFile, tokens.join(""), { mode: 0o600 });
    const requestId = randomUUID();
    await using live = await startLiveServer({
      BREAKGLASS_TOKENS_FILE: tokensFile,
      BREAKGLASS_APPROVERS: "bob",
      BREAKGLASS_SELF_APPROVAL: "forbidden",
    });
    const as = (name: string) =>
      connect(live.server.url, { authorization: `Bearer ${name}-token` });
    using alice = as("alice");
    using bob = as("bob");
    using carol = as("carol");
    const run = collect(alice.client.runTurn({ prompt: PROMPT, permissionMode, requestId }));
    const stream = alice.client.runTurn({ prompt: PROMPT, permissionMode, requestId });
    for await (const { event } of stream) {
      if (event?.kind.case !== "approvalRequest") continue;
      const { approvalId } = event.kind.value;
      const answer = { turnId: event.turnId, approvalId, decision: allow() };
      expect(await refusalOf(alice.client.resolveApproval(answer))).toMatchObject({
        code: "PermissionDenied",
        reason: "SELF_APPROVAL_FORBIDDEN",
      });
      expect(await refusalOf(carol.client.resolveApproval(answer))).toMatchObject({
        code: "NotFound",
      });
      await bob.client.resolveApproval(answer);
    }
    expect(valuesOf(await run, "approvalResolution")).toMatchObject([{ principal: "bob" }]);
    await rm(tokensFile);
  });
});
