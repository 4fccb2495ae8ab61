import {
  ApprovalDecision,
  ApprovalResolutionEventSchema,
  BreakglassService,
  createBreakglassClient,
  ErrorEventSchema,
  type TurnEvent,
  TurnEventSchema,
  TurnState,
} from "@breakglass/client";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { ApprovalAnswer } from "../src/doing/approval-answer.svelte.ts";

const TURN = { turnId: "01985f4e-0000-7000-8000-000000000001" };
const APPROVAL_ID = "01985f4e-0000-4000-8000-000000000002";

const REQUEST = create(TurnEventSchema, {
  ...TURN,
  sequence: 3,
  kind: { case: "approvalRequest", value: { approvalId: APPROVAL_ID, name: "Bash" } },
});
const BOB_DENIED = create(ApprovalResolutionEventSchema, {
  approvalId: APPROVAL_ID,
  decision: ApprovalDecision.DENIED,
  principal: "bob",
  message: "Not on the primary.",
});

/** A server of one approval: what it does with an answer, and what its log then has behind the request. */
function serverOf(log: MessageInitShape<typeof TurnEventSchema>[] = []) {
  const answers: (string | undefined)[] = [];
  const replies: PromiseWithResolvers<Record<string, never>>[] = [];
  const asked = { count: 0, isDown: false };
  const transport = createRouterTransport(({ rpc }) => {
    rpc(BreakglassService.method.resolveApproval, async ({ decision }) => {
      answers.push(decision.case);
      const reply = Promise.withResolvers<Record<string, never>>();
      replies.push(reply);
      return await reply.promise;
    });
    rpc(BreakglassService.method.attachTurn, async function* () {
      asked.count++;
      if (asked.isDown) throw new ConnectError("no", Code.PermissionDenied);
      const isLive = !log.some(({ kind }) => kind?.case === "error");
      const state = isLive ? TurnState.RUNNING : TurnState.LOST;
      const checkpoint = { sequence: 3, state, caughtUp: log.length === 0 };
      yield { event: { ...TURN, kind: { case: "checkpoint" as const, value: checkpoint } } };
      yield* log.map((event) => ({ event }));
      if (!isLive) return;
      const caughtUp = { sequence: 3 + log.length, state, caughtUp: true };
      yield { event: { ...TURN, kind: { case: "checkpoint" as const, value: caughtUp } } };
      await new Promise(() => {});
    });
  });
  const answer = new ApprovalAnswer(createBreakglassClient(transport), REQUEST, () => "alice");
  onTestFinished(() => answer.leave());
  return { answer, answers, replies, asked };
}

function logged(kind: TurnEvent["kind"]): MessageInitShape<typeof TurnEventSchema> {
  return { ...TURN, sequence: 4, createTime: { seconds: 1n, nanos: 0 }, kind };
}
const resolved = logged({ case: "approvalResolution", value: BOB_DENIED });
const turnEnded = logged({ case: "error", value: create(ErrorEventSchema, {}) });

function refusal(reason: string, metadata: Record<string, string> = {}) {
  const value = { domain: "breakglass", reason, metadata };
  return new ConnectError(reason, Code.FailedPrecondition, undefined, [
    { desc: ErrorInfoSchema, value },
  ]);
}
const CUT = new ConnectError("network error", Code.Unknown);

async function until(isSo: () => boolean) {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
}

describe("ApprovalAnswer", () => {
  it("is decided by its answer", async () => {
    const { answer, answers, replies } = serverOf();
    const sent = answer.send({ allow: true });
    expect(answer.state).toMatchObject({ at: "sending" });
    await until(() => replies.length === 1);
    replies[0]?.resolve({});
    await sent;
    expect(answers).toEqual(["allow"]);
    expect(answer.state).toMatchObject({
      at: "decided",
      decided: { decision: ApprovalDecision.ALLOWED, principal: "alice" },
    });
  });

  it("sends no second answer while the first is on its way", async () => {
    const { answer, answers, replies } = serverOf();
    const sent = answer.send({ allow: false, message: "" });
    await answer.send({ allow: true });
    await until(() => replies.length === 1);
    replies[0]?.resolve({});
    await sent;
    await answer.send({ allow: true });
    expect(answers).toEqual(["deny"]);
    expect(answer.state).toMatchObject({ decided: { decision: ApprovalDecision.DENIED } });
  });

  it("keeps what somebody else decided, whatever comes of its own answer", async () => {
    for (const end of [
      refusal("APPROVAL_RESOLVED", { principal: "carol", decision: "ALLOWED" }),
      refusal("TURN_ENDED"),
      refusal("TOO_MANY_REQUESTS"),
      CUT,
    ]) {
      const { answer, replies } = serverOf([resolved]);
      const sent = answer.send({ allow: true });
      await until(() => replies.length === 1);
      answer.heed(BOB_DENIED, new Date(0));
      replies[0]?.reject(end);
      await sent;
      expect(answer.state).toMatchObject({ at: "decided", decided: { principal: "bob" } });
    }
  });

  it("learns from a refusal who decided, and from the log with which words", async () => {
    const { answer, replies } = serverOf([resolved]);
    const sent = answer.send({ allow: true });
    await until(() => replies.length === 1);
    replies[0]?.reject(refusal("APPROVAL_RESOLVED", { principal: "bob", decision: "DENIED" }));
    await sent;
    expect(answer.state).toMatchObject({
      decided: {
        decision: ApprovalDecision.DENIED,
        principal: "bob",
        message: "Not on the primary.",
      },
    });
  });

  it("asks what came of an answer that was not confirmed, and sends it no second time", async () => {
    const { answer, answers, replies, asked } = serverOf([resolved]);
    const sent = answer.send({ allow: false, message: "Not on the primary." });
    await until(() => replies.length === 1);
    replies[0]?.reject(CUT);
    await sent;
    expect(answer.state).toMatchObject({ at: "decided", decided: { principal: "bob" } });
    expect([answers, asked.count]).toEqual([["deny"], 1]);
  });

  it("says where it had not arrived, and lets the person answer again", async () => {
    const { answer, answers, replies } = serverOf();
    const sent = answer.send({ allow: true });
    await until(() => replies.length === 1);
    replies[0]?.reject(CUT);
    await sent;
    expect(answer.state).toEqual({ at: "open", isLost: true });
    expect(answers).toEqual(["allow"]);
    const again = answer.send({ allow: true });
    await until(() => replies.length === 2);
    replies[1]?.resolve({});
    await again;
    expect(answer.state).toMatchObject({ at: "decided" });
  });

  it("stays unconfirmed where the server cannot be asked, until it can or the event comes", async () => {
    const { answer, answers, replies, asked } = serverOf([resolved]);
    asked.isDown = true;
    const sent = answer.send({ allow: true });
    await until(() => replies.length === 1);
    replies[0]?.reject(CUT);
    await sent;
    expect(answer.state).toMatchObject({ at: "unconfirmed", answer: { allow: true } });
    await answer.send({ allow: true });
    expect(answers).toEqual(["allow"]);
    asked.isDown = false;
    await answer.ask();
    expect(answer.state).toMatchObject({ at: "decided", decided: { principal: "bob" } });
  });

  it("is over where the turn ended without a decision", async () => {
    const { answer, replies } = serverOf([turnEnded]);
    const sent = answer.send({ allow: true });
    await until(() => replies.length === 1);
    replies[0]?.reject(CUT);
    await sent;
    expect(answer.state).toEqual({ at: "over", why: "turn-ended" });
  });

  it.each([
    ["APPROVAL_EXPIRED", { at: "decided", decided: { decision: ApprovalDecision.EXPIRED } }],
    ["TURN_ENDED", { at: "over", why: "turn-ended" }],
    ["APPROVAL_NOT_FOUND", { at: "over", why: "unknown" }],
    ["SELF_APPROVAL_FORBIDDEN", { at: "open", refusal: { code: Code.FailedPrecondition } }],
    // Refused, and it may count all the same.
    ["STORAGE", { at: "open", isLost: true }],
  ])("refused with %s it is %j", async (reason, state) => {
    const { answer, replies } = serverOf();
    const sent = answer.send({ allow: true });
    await until(() => replies.length === 1);
    replies[0]?.reject(refusal(reason));
    await sent;
    expect(answer.state).toMatchObject(state);
  });
});
