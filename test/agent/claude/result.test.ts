import { describe, expect, it } from "vitest";
import { ClaudeTranslation } from "../../../src/agent/claude/translation.ts";
import { append, assistant, casesOf, ID, INIT, translate, valuesOf } from "./lines.ts";

describe("result", () => {
  const RESULT = { type: "result", subtype: "success", is_error: false, result: "done" };
  const resultOf = (more: object) =>
    valuesOf(translate({ ...RESULT, ...more }).events, "result")[0];

  it("carries what the agent says of the turn", () => {
    const usage = {
      input_tokens: 1,
      output_tokens: 2.9,
      cache_read_input_tokens: -3,
      cache_creation_input_tokens: 1e30,
    };
    const denials = [{ tool_name: "Bash", tool_use_id: "t1", tool_input: { n: 1 } }, "odd"];
    const more = { num_turns: 3, duration_ms: 1500, total_cost_usd: 0.25, stop_reason: "end_turn" };
    const value = resultOf({ ...more, usage, permission_denials: denials, structured_output: [1] });
    expect(value).toMatchObject({
      isError: false,
      result: "done",
      numTurns: 3,
      totalCostUsd: 0.25,
    });
    expect(value?.duration).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
    expect(value?.usage).toMatchObject({
      inputTokens: 1n,
      outputTokens: 2n,
      cacheReadInputTokens: 0n,
      cacheCreationInputTokens: 2n ** 64n - 1n,
    });
    expect(value?.permissionDenials).toMatchObject([
      { toolId: "t1", name: "Bash", inputJson: '{"n":1}' },
    ]);
    expect(value).toMatchObject({ stopReason: "end_turn", structuredOutputJson: "[1]" });
    expect(value?.apiErrorStatus).toBeUndefined();
  });

  it.each([
    [{ is_error: true }, true, "done"],
    [{ subtype: "error_max_turns" }, true, "done"],
    [{ subtype: "error_max_turns", result: undefined, errors: ["a", 1, "b"] }, true, "a\nb"],
    [{ subtype: "error_max_turns", result: null, errors: null }, true, "error_max_turns"],
    [{ subtype: undefined, result: undefined }, true, ""],
    [
      { usage: 1, num_turns: "x", duration_ms: {}, errors: 5, permission_denials: 3 },
      false,
      "done",
    ],
  ])("%j is an error: %s", (more, isError, result) => {
    expect(resultOf(more)).toMatchObject({ isError, result });
  });

  it("keeps the numbers of its JSON, and the status", () => {
    const line =
      '{"type":"result","subtype":"success","structured_output":{"n":1.0},"api_error_status":529}';
    expect(valuesOf(translate(line).events, "result")[0]).toMatchObject({
      structuredOutputJson: '{"n":1.0}',
      apiErrorStatus: 529,
    });
  });

  it("ends the turn: nothing follows the first", () => {
    const lines = [RESULT, { ...RESULT, result: "again" }, assistant("late"), "garbage"];
    const { events, translation } = translate(INIT, ...lines);
    translation.refused(1, "limit", events);
    expect(casesOf(events)).toEqual(["session", "result"]);
    expect(translation.ended).toBe(true);
  });

  it("is no event where it only says that the conversation to go on with is unknown", () => {
    const line = {
      ...{ type: "result", subtype: "error_during_execution", is_error: true },
      errors: [`No conversation found with session ID: ${ID}`],
    };
    const resumed = new ClaudeTranslation({ agent: "a", resumed: true });
    expect(append(resumed, line)).toEqual([]);
    expect(resumed).toMatchObject({ ended: true, conversationUnknown: true });
    const inUse = new ClaudeTranslation({ agent: "a", resumed: true });
    expect(casesOf(append(inUse, INIT, line))).toEqual(["session", "result"]);
    expect(inUse.conversationUnknown).toBe(false);
    expect(casesOf(translate(line).events)).toEqual(["result"]);
  });
});

describe("spending", () => {
  const say = (id: string, input_tokens: number, output_tokens: number) =>
    assistant("x", {}, { id, usage: { input_tokens, output_tokens } });

  it("sums the model's messages, each once, until the result says", () => {
    const { translation } = translate(say("a", 10, 1), say("a", 10, 4), say("b", 5, 1));
    expect(translation.spending).toMatchObject({ usage: { inputTokens: 15n, outputTokens: 5n } });
    append(translation, { type: "result", total_cost_usd: 0.5, usage: { input_tokens: 99 } });
    expect(translation.spending).toMatchObject({ usage: { inputTokens: 99n }, totalCostUsd: 0.5 });
  });

  it("keeps the sum where the result says 0, as that of an interrupted turn does", () => {
    const { translation } = translate(say("a", 10, 1), {
      type: "result",
      usage: { input_tokens: 0 },
    });
    expect(translation.spending.usage?.inputTokens).toBe(10n);
  });

  it("is unknown before any message", () => {
    expect(translate(INIT).translation.spending).toEqual({ totalCostUsd: 0 });
  });

  it("forgets no sum over thousands of messages", () => {
    const lines = Array.from({ length: 5000 }, (_, i) => say(`m${i}`, 1, 2));
    const { usage } = translate(...lines).translation.spending;
    expect(usage).toMatchObject({ inputTokens: 5000n, outputTokens: 10_000n });
  });
});
