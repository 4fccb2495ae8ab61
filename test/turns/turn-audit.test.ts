import { hash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { TextEventSchema, ToolEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../../src/agent/agent.ts";
import { ChainCheck } from "../../src/audit/chain-check.ts";
import type { AuditFacts } from "../../src/audit/entry.ts";
import type { AuditRecord } from "../../src/audit/record.ts";
import { TurnAudit } from "../../src/turns/turn-audit.ts";
import { callerNamed } from "../support/caller.ts";
import { eventually } from "../support/processes.ts";
import { type DrivenTurns, PRINCIPAL, request, result, startDrivenTurns } from "./driven-turns.ts";

const INPUT = '{"command":"psql postgres://app:hunter2@db"}';
const sha256 = (text: string) => hash("sha256", text);
const tool = {
  case: "tool",
  value: create(ToolEventSchema, { toolId: "t", name: "Bash", inputJson: INPUT }),
} as const;

const text = { case: "text", value: create(TextEventSchema, { text: "a" }) } as const;

/** The records of the chain, which must be right. */
async function recordsOf(driven: DrivenTurns): Promise<AuditRecord[]> {
  const store = driven.store.asStore;
  const check = new ChainCheck();
  const lines = await store.readAudit(store.lease.owner, 0, 1e9);
  const records = lines.map((line) => check.take(line));
  check.end();
  return records;
}

const kindsOf = async (driven: DrivenTurns) => (await recordsOf(driven)).map(({ kind }) => kind);

describe("a turn on the audit chain", () => {
  it("has who began, steered, answered, and stopped it, and what the agent called, without what was said", async () => {
    await using driven = await startDrivenTurns({ approvers: ["approver"] });
    const { turns } = driven;
    const { turnId, run } = await driven.begin();
    const { sessionId, prompt } = await turns.getTurn(turnId, callerNamed(PRINCIPAL));
    run.give([tool, request("a")]);
    await eventually(
      () => driven.readLog(turnId),
      ({ length }) => length === 2,
    );
    const answer = { turnId, approvalId: "a", answer: { allow: true } } as const;
    await turns.resolveApproval(answer, callerNamed("approver"));
    const steer = { turnId, message: "look there", requestId: "" };
    await turns.steer(steer, callerNamed(PRINCIPAL));
    const canceled = turns.cancel(turnId, callerNamed(PRINCIPAL));
    await eventually(
      () => run.isOver,
      (isOver) => isOver,
    );
    await canceled;
    await turns.deleteSession({ sessionId, principal: PRINCIPAL }, callerNamed(PRINCIPAL));
    const records = await recordsOf(driven);
    expect(records.map(({ kind, who }) => [kind, who?.name])).toEqual([
      ["turn_started", PRINCIPAL],
      ["tools_called", undefined],
      ["approval_asked", undefined],
      ["approval_resolved", "approver"],
      ["turn_steered", PRINCIPAL],
      ["turn_canceled", PRINCIPAL],
      ["turn_ended", undefined],
      ["session_deleted", PRINCIPAL],
    ]);
    expect(records.every((record) => record.session_id === sessionId)).toBe(true);
    expect(records.slice(0, -1).every((record) => record.turn_id === turnId)).toBe(true);
    const call = { tool: "Bash", tool_id: "t", event_sequence: 1 };
    expect(records[1]?.facts?.calls).toMatchObject([
      { ...call, input_sha256: sha256(INPUT), input_bytes: INPUT.length },
    ]);
    expect(records[3]?.facts).toMatchObject({ approval_id: "a", decision: "ALLOWED" });
    expect(records[4]?.facts).toMatchObject({ message_sha256: sha256("look there") });
    expect(records[6]?.facts).toMatchObject({ state: "CANCELED", error_reason: "CANCELED" });
    const text = JSON.stringify(records);
    for (const said of ["hunter2", "look there", prompt]) {
      expect(text).not.toContain(said);
    }
  });

  it("has who shared its session and with whom, and whose it is where another acts in it", async () => {
    await using driven = await startDrivenTurns({ approvers: [] });
    const { turns } = driven;
    const { turnId, run } = await driven.begin();
    const { sessionId } = await turns.getTurn(turnId, callerNamed(PRINCIPAL));
    const name = { sessionId, principal: PRINCIPAL };
    const owner = callerNamed(PRINCIPAL);
    const bob = { kind: "principal", name: "bob" } as const;
    run.give([result()]);
    run.leave();
    await eventually(
      () => turns.getTurn(turnId, owner),
      ({ endTime }) => endTime !== undefined,
    );
    await turns.shareSession(name, { grantee: bob, access: "operate" }, owner);
    await turns.unshareSession(name, { kind: "role", name: "viewer" }, owner);
    await expect(turns.unshareSession(name, bob, callerNamed("bob"))).rejects.toMatchObject({
      reason: "NOT_ALLOWED",
    });
    await turns.deleteSession(name, callerNamed("bob"));
    const records = (await recordsOf(driven)).slice(-3);
    expect(records.map(({ kind, who, facts }) => [kind, who?.name, facts])).toEqual([
      ["session_shared", PRINCIPAL, { with_principal: "bob", access: "operate" }],
      ["session_unshared", PRINCIPAL, { with_role: "viewer" }],
      ["session_deleted", "bob", { session_principal: PRINCIPAL }],
    ]);
  });

  it("has the beginning of what was said where that is asked for", async () => {
    await using driven = await startDrivenTurns({ audit: new TurnAudit("texts") });
    const { turnId, run } = await driven.begin();
    const { prompt } = await driven.turns.getTurn(turnId, callerNamed(PRINCIPAL));
    const long = { ...tool, value: { ...tool.value, inputJson: "x".repeat(10_000) } };
    run.give([tool, long, result()]);
    run.leave();
    await driven.ended(turnId);
    const [started, called] = await recordsOf(driven);
    expect(started?.facts).toMatchObject({ prompt });
    expect(called?.facts?.calls).toMatchObject([
      { input: INPUT },
      { input: "x".repeat(4096), input_bytes: 10_000 },
    ]);
  });

  it("has calls that came together in one record, unless there is much of them or something between", () => {
    const ids = { turnId: "t", sessionId: "s" };
    const sequencesOf = (audit: TurnAudit, kinds: readonly EventKind[]) =>
      audit.events(ids, kinds, 1).map(({ kind, facts }) => {
        const calls = facts?.calls as readonly AuditFacts[] | undefined;
        return [kind, facts?.event_sequence, calls?.map((call) => call.event_sequence)];
      });
    const hashes = new TurnAudit("hashes");
    expect(sequencesOf(hashes, [tool, text, tool, request("a"), tool])).toEqual([
      ["tools_called", 1, [1, 3]],
      ["approval_asked", 4, undefined],
      ["tools_called", 5, [5]],
    ]);
    const many = sequencesOf(hashes, Array(65).fill(tool));
    expect(many.map(([, first]) => first)).toEqual([1, 65]);
    const long = { ...tool, value: { ...tool.value, inputJson: "x".repeat(10_000) } };
    const shown = sequencesOf(new TurnAudit("texts"), Array(5).fill(long));
    expect(shown.map(([, first]) => first)).toEqual([1, 5]);
  });

  it("shows no secret, also one that is cut where what is shown ends", async () => {
    const redact = (text: string) => text.replaceAll("hunter2", "***");
    await using driven = await startDrivenTurns({ audit: new TurnAudit("texts", redact) });
    const { turnId, run } = await driven.begin();
    const inputJson = `hunter2${"x".repeat(4085)}hunter2`;
    run.give([{ ...tool, value: { ...tool.value, inputJson } }, result()]);
    run.leave();
    await driven.ended(turnId);
    const [, called] = await recordsOf(driven);
    expect(called?.facts?.calls).toMatchObject([{ input: `***${"x".repeat(4085)}***` }]);
  });

  it("has nothing where the audit is off", async () => {
    await using driven = await startDrivenTurns({ audit: new TurnAudit(undefined) });
    const { turnId, run } = await driven.begin();
    run.give([tool, result()]);
    run.leave();
    await driven.ended(turnId);
    expect(await kindsOf(driven)).toEqual([]);
  });

  it("has who stopped it where the store took nothing for a while, and an answer that did not count as withdrawn", async () => {
    await using driven = await startDrivenTurns();
    const { turns } = driven;
    const { turnId, run } = await driven.begin();
    run.give([request("a")]);
    await eventually(
      () => driven.readLog(turnId),
      ({ length }) => length === 1,
    );
    driven.store.isHeld = true;
    const canceled = turns.cancel(turnId, callerNamed(PRINCIPAL));
    await driven.fillDisk();
    driven.store.isHeld = false;
    driven.store.release(10);
    await expect(canceled).rejects.toMatchObject({ reason: "STORAGE" });
    expect(await kindsOf(driven)).toEqual(["turn_started", "approval_asked"]);
    await driven.clearDisk();
    await driven.ended(turnId);
    const records = await recordsOf(driven);
    expect(
      records.slice(2).map(({ kind, who, facts }) => [kind, who?.name, facts?.decision]),
    ).toEqual([
      ["turn_canceled", PRINCIPAL, undefined],
      ["approval_resolved", undefined, "WITHDRAWN"],
      ["turn_ended", undefined, undefined],
    ]);
  });

  it("ends on it where another server records its end", async () => {
    await using driven = await startDrivenTurns();
    const { turnId } = await driven.begin();
    await driven.loseLease();
    await using next = { turns: driven.another(), [Symbol.asyncDispose]: async () => {} };
    await next.turns.recover();
    await driven.ended(turnId);
    const records = await recordsOf(driven);
    expect(records.map(({ kind }) => kind)).toEqual(["turn_started", "turn_ended"]);
    expect(records[1]?.facts).toMatchObject({ state: "LOST", error_reason: "SERVER_RESTARTED" });
  });
});
