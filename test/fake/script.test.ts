import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { StepDocument } from "#client/testing";
import { ErrorReason, NoticeReason, type TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { cases, durable, valuesOf } from "../support/events.ts";
import { always, startTestFake, type TestFake } from "./support.ts";

let it_: TestFake;
beforeAll(async () => {
  it_ = await startTestFake();
});
afterAll(() => it_[Symbol.asyncDispose]());

/** What is on record of a turn that plays them, but that the agent came up. */
async function played(steps: readonly StepDocument[], prompt = "Repair it."): Promise<TurnEvent[]> {
  await it_.fake.setScript(always(...steps));
  return durable(await it_.run({ prompt })).filter(({ kind }) => kind.case !== "session");
}

describe("a script's step", () => {
  it("text is said, and ends the turn as its result", async () => {
    const events = await played([{ text: "One." }, { text: "You said: {{prompt}}" }], "Hello?");
    expect(valuesOf(events, "text").map(({ text }) => text)).toEqual(["One.", "You said: Hello?"]);
    expect(valuesOf(events, "result")).toMatchObject([
      { result: "You said: Hello?", isError: false, totalCostUsd: 0.01 },
    ]);
  });

  it("text of a size has so many bytes", async () => {
    const [text] = valuesOf(await played([{ text: { size: "100KB" } }]), "text");
    expect(Buffer.byteLength(text!.text)).toBe(100_000);
  });

  it("thinking is thought", async () => {
    const events = await played([{ thinking: "The port." }]);
    expect(valuesOf(events, "thinking")).toMatchObject([{ text: "The port." }]);
  });

  it("tool is called with its input, and answers", async () => {
    const input = { command: "cat {{prompt}}", count: 3 };
    const tool = { name: "Bash", input, output: "none", is_error: true };
    const events = await played([{ tool }], "x.conf");
    const [call] = valuesOf(events, "tool");
    expect(JSON.parse(call!.inputJson)).toEqual({ command: "cat x.conf", count: 3 });
    expect(valuesOf(events, "toolResult")).toMatchObject([
      { toolId: call!.toolId, content: "none", isError: true },
    ]);
  });

  it("repeat is played in rounds, also within another", async () => {
    const inner = { repeat: { times: 2, steps: [{ text: "in {{n}}" }] } };
    const events = await played([{ repeat: { times: 2, steps: [{ text: "{{n}}" }, inner] } }]);
    const texts = valuesOf(events, "text").map(({ text }) => text);
    expect(texts).toEqual(["1", "in 1", "in 2", "2", "in 1", "in 2"]);
  });

  it("result has what it is given, and ends the turn", async () => {
    const usage = { input_tokens: 7, cache_read_input_tokens: 5 };
    const result = {
      ...{ text: "No.", cost_usd: 0.5, usage, is_error: true, stop_reason: "max_tokens" },
      ...{ num_turns: 4, structured_output: { port: 8080 } },
    };
    const events = await played([{ result }, { text: "never" }]);
    expect(cases(events)).toEqual(["result"]);
    expect(valuesOf(events, "result")).toMatchObject([
      {
        ...{ result: "No.", isError: true, totalCostUsd: 0.5, stopReason: "max_tokens" },
        ...{ numTurns: 4, structuredOutputJson: '{"port":8080}' },
        usage: { inputTokens: 7n, cacheReadInputTokens: 5n },
      },
    ]);
  });

  it("result has nothing behind it, also for the session's next turn", async () => {
    await it_.fake.setScript(always({ result: "a" }, { text: "late" }, { failure: "hang" }));
    const [{ sessionId }] = (await it_.run({ prompt: "x" })) as [TurnEvent];
    for (const prompt of ["y", "z"]) {
      const events = await it_.run({ prompt, sessionId });
      expect(cases(durable(events))).toEqual(["session", "result"]);
      expect(valuesOf(events, "result")).toMatchObject([{ result: "a" }]);
    }
    expect((await it_.client.listTurns({ sessionId })).turns).toHaveLength(3);
  });

  it("retry is told of, each time", async () => {
    const events = await played([{ retry: { times: 2, status: 429, delay: "10ms" } }]);
    const notices = valuesOf(events, "notice");
    expect(notices).toMatchObject([
      { reason: NoticeReason.API_RETRY, attempt: 1, httpStatus: 429 },
      { reason: NoticeReason.API_RETRY, attempt: 2, httpStatus: 429 },
    ]);
  });

  it("line is printed as it is", async () => {
    const lines: StepDocument[] = [
      { line: "no JSON" },
      { line: { type: "system", subtype: "permission_denied", tool_name: "Bash" } },
    ];
    const notices = valuesOf(await played(lines), "notice");
    expect(notices.map(({ reason }) => reason)).toEqual([
      NoticeReason.MALFORMED_OUTPUT,
      NoticeReason.PERMISSION_DENIED,
    ]);
  });

  it("delay takes its time", async () => {
    const begun = Date.now();
    const events = await played([{ text: "a" }, { delay: "300ms" }, { text: "b" }]);
    expect(timestampMs(events[1]!.createTime!) - begun).toBeGreaterThanOrEqual(300);
  });
});

describe("pieces of a text", () => {
  const deltas = async (steps: readonly StepDocument[]) => {
    await it_.fake.setScript(always(...steps));
    return it_.run({ prompt: "x", textDeltas: true });
  };

  it("are written, and come to the text, under one id", async () => {
    const events = await deltas([
      { pieces: ["a", { delay: "300ms" }, "b", "c", { delay: "300ms" }] },
    ]);
    const pieces = valuesOf(events, "textDelta");
    const [text] = valuesOf(events, "text");
    expect(pieces.map((piece) => piece.text).join("")).toBe("abc");
    expect(text).toMatchObject({ text: "abc" });
    expect(new Set(pieces.map(({ messageId }) => messageId))).toEqual(new Set([text!.messageId]));
  });

  it("that are void are followed by those of another message", async () => {
    const events = await deltas([
      { void_pieces: ["wrong", { delay: "300ms" }] },
      { pieces: ["right", { delay: "300ms" }] },
    ]);
    const pieces = valuesOf(events, "textDelta");
    expect(pieces.at(0)?.text).toBe("wrong");
    expect(pieces.at(-1)?.text).toBe("right");
    expect(pieces.at(-1)?.messageId).not.toBe(pieces.at(0)?.messageId);
    expect(valuesOf(events, "text").map(({ text }) => text)).toEqual(["right"]);
  });
});

describe("a failure", () => {
  it.each([
    ["crash", { reason: ErrorReason.AGENT_EXITED, signal: "SIGKILL" }],
    [
      { exit: 3, stderr: "out of disk" },
      { reason: ErrorReason.AGENT_EXITED, exitCode: 3, stderrTail: "out of disk\n" },
    ],
    ["no-result", { reason: ErrorReason.AGENT_EXITED, exitCode: 0 }],
    ["not-started", { reason: ErrorReason.AGENT_START_FAILED, exitCode: 1 }],
    ["garbage", { reason: ErrorReason.AGENT_PROTOCOL }],
  ] as const)("%j ends the turn with an error", async (failure, error) => {
    expect(valuesOf(await played([{ failure }]), "error")).toMatchObject([error]);
  });

  it.each([
    "auth",
    "not-logged-in",
    "billing",
    "rate-limit",
    "overloaded",
    "server-error",
    "unreachable",
  ])("%s is told of as an error of the API, with what to do about it", async (failure) => {
    const events = await played([{ failure }]);
    expect(cases(events)).toEqual(["notice", "result"]);
    const [notice] = valuesOf(events, "notice");
    expect(notice).toMatchObject({
      reason: NoticeReason.API_ERROR,
      message: expect.stringContaining("\n"),
    });
    expect(valuesOf(events, "result")).toMatchObject([{ isError: true, totalCostUsd: 0 }]);
  });

  it("refusal is the model's", async () => {
    const events = await played([{ failure: "refusal" }]);
    expect(valuesOf(events, "notice")).toMatchObject([{ reason: NoticeReason.MODEL_REFUSAL }]);
    expect(valuesOf(events, "result")).toMatchObject([{ isError: true, stopReason: "refusal" }]);
  });

  it.each(["max-turns", "max-budget"])("%s is a result alone", async (failure) => {
    const events = await played([{ failure }]);
    expect(cases(events)).toEqual(["result"]);
    expect(valuesOf(events, "result")).toMatchObject([{ isError: true }]);
  });

  it.each([
    ["hang", true],
    ["deaf", false],
  ] as const)("%s ends nothing by itself, and obeys an interrupt: %s", async (failure, obeys) => {
    await it_.fake.setScript(always({ text: "I wait." }, { failure }));
    await using reader = new EventReader(it_.client.runTurn({ prompt: "x" }));
    const { turnId } = await reader.until("text");
    const interrupted = it_.client.interruptTurn({ turnId });
    if (obeys) await interrupted;
    else await expect(interrupted).rejects.toThrow("did not stop");
    await it_.client.cancelTurn({ turnId });
    expect(valuesOf(await reader.rest(), "error")).toMatchObject([
      { reason: ErrorReason.CANCELED },
    ]);
  });
});

describe("an approval", () => {
  const approval = {
    ...{ tool: "Bash", input: { command: "reboot" }, title: "Reboot it", output: "rebooted" },
    allowed: [{ text: "It is up." }],
    denied: [{ text: "I leave it." }],
  };

  it.each([
    [{ case: "allow", value: {} }, "rebooted", "It is up."],
    [{ case: "deny", value: { message: "Not now." } }, "Not now.", "I leave it."],
  ] as const)("is waited for, and what follows is that of %j", async (decision, output, text) => {
    await it_.fake.setScript(always({ approval }));
    const request = { prompt: "x", permissionMode: PermissionMode.ASK };
    await using reader = new EventReader(it_.client.runTurn(request));
    const { turnId, kind } = await reader.until("approvalRequest");
    if (kind.case !== "approvalRequest") throw new Error("nothing was asked");
    expect(kind.value).toMatchObject({
      name: "Bash",
      inputJson: '{"command":"reboot"}',
      description: "Reboot it",
    });
    await it_.client.resolveApproval({ turnId, approvalId: kind.value.approvalId, decision });
    const events = await reader.rest();
    expect(valuesOf(events, "toolResult")).toMatchObject([{ content: output }]);
    expect(valuesOf(events, "text")).toMatchObject([{ text }]);
    const denials = valuesOf(events, "result")[0]!.permissionDenials;
    expect(denials).toHaveLength(decision.case === "deny" ? 1 : 0);
  });

  it("is allowed in the mode BYPASS", async () => {
    const events = await played([{ approval }]);
    expect(valuesOf(events, "approvalRequest")).toEqual([]);
    expect(valuesOf(events, "text")).toMatchObject([{ text: "It is up." }]);
  });
});

describe("the turn that is played", () => {
  it("is the first whose text or expression fits, else the one without", async () => {
    await it_.fake.setScript({
      turns: [
        { steps: [{ text: "other" }] },
        { when: "a port", steps: [{ text: "text" }] },
        { when: "/^is a PORT/i", steps: [{ text: "expression" }] },
      ],
    });
    const answer = async (prompt: string) =>
      valuesOf(await it_.run({ prompt }), "result")[0]?.result;
    expect(await answer("is a port open?")).toBe("text");
    expect(await answer("Is a Port open?")).toBe("expression");
    expect(await answer("What is it?")).toBe("other");
  });

  it("is none, and the result says so, where the script has none", async () => {
    await it_.fake.setScript({ turns: [{ when: "x", steps: [] }] });
    expect(valuesOf(await it_.run({ prompt: "y" }), "result")).toMatchObject([
      { isError: true, result: expect.stringContaining('no turn for the prompt "y"') },
    ]);
  });

  it("is joined by a message behind the tool that runs, with the steps that are for it", async () => {
    await it_.fake.setScript({
      turns: [
        { when: "database", steps: [{ text: "I leave it." }] },
        { steps: [{ tool: { name: "Wait", takes: "2s" } }, { text: "Done." }] },
      ],
    });
    await using reader = new EventReader(it_.client.runTurn({ prompt: "x" }));
    const { turnId } = await reader.until("tool");
    await it_.client.steerTurn({ turnId, message: "Leave the database." });
    const events = await reader.rest();
    expect(cases(events).slice(-5)).toEqual(["steer", "toolResult", "text", "text", "result"]);
    expect(valuesOf(events, "text").map(({ text }) => text)).toEqual(["I leave it.", "Done."]);
  });

  it("goes on in a session that the agent knows", async () => {
    await it_.fake.setScript(always({ text: "a" }));
    const [{ sessionId }] = (await it_.run({ prompt: "x" })) as [TurnEvent];
    await it_.fake.restart();
    const events = await it_.run({ prompt: "y", sessionId });
    expect(valuesOf(events, "session")).toMatchObject([{ resumed: true }]);
  });
});
