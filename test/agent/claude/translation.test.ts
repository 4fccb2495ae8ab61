import { describe, expect, it } from "vitest";
import { ErrorReason, NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { ClaudeTranslation } from "../../../src/agent/claude/translation.ts";
import {
  answer,
  append,
  assistant,
  casesOf,
  ID,
  INIT,
  reasonsOf,
  translate,
  valuesOf,
} from "./lines.ts";

describe("session", () => {
  it("is told of once, at the first init", () => {
    const { events, translation } = translate(INIT, { ...INIT, model: "m-2" });
    expect(casesOf(events)).toEqual(["session"]);
    expect(valuesOf(events, "session")[0]).toMatchObject({
      agentSessionId: ID,
      model: "m-1",
      agent: "breakglass",
      agentVersion: "",
      resumed: false,
    });
    expect(translation.agentSessionId).toBe(ID);
  });

  it("is an error where the CLI came up without the agent that was asked for", () => {
    const without = { ...INIT, agents: ["claude", "Plan"] };
    const asked = new ClaudeTranslation({ agent: "nobody", resumed: false });
    const events = append(asked, without, assistant("as somebody else"));
    expect(valuesOf(events, "error")[0]).toMatchObject({ reason: ErrorReason.AGENT_NOT_FOUND });
    expect(casesOf(events)).toEqual(["error"]);
    expect(asked).toMatchObject({ ended: true, agentUnknown: true });
    const gone = new ClaudeTranslation({ agent: "nobody", resumed: false });
    const later = append(gone, { ...INIT, agents: ["nobody"] }, without, assistant("hi"));
    expect(casesOf(later)).toEqual(["session", "text"]);
  });

  it("comes before text and tools that come before any init", () => {
    const said = translate(assistant([{ type: "text", text: "hi" }], { session_id: ID }), INIT);
    expect(casesOf(said.events)).toEqual(["session", "text"]);
    expect(valuesOf(said.events, "session")[0]).toMatchObject({ agentSessionId: ID, model: "m-1" });
    expect(casesOf(translate(answer("ok")).events)).toEqual(["session", "toolResult"]);
  });

  it("takes an id that it could be resumed by from a UUID only", () => {
    for (const session_id of ["../../x", "--model=x", "", `${ID}x`]) {
      expect(translate({ ...INIT, session_id }).translation.agentSessionId).toBeUndefined();
    }
  });

  it("follows the conversation through a reset", () => {
    const other = "cb835481-035d-4d1c-8604-36558bc6fd38";
    const { events, translation } = translate(INIT, {
      type: "conversation_reset",
      new_conversation_id: other,
    });
    expect(reasonsOf(events)).toEqual([NoticeReason.CONVERSATION_RESET]);
    expect(translation.agentSessionId).toBe(other);
  });
});

describe("assistant", () => {
  it("makes an event of each block, in order: a notice of what is not known", () => {
    const blocks = [
      { type: "thinking", thinking: "hm" },
      { type: "hologram", text: "?" },
      { type: "text", text: "a" },
      { type: "tool_use", id: "t1", name: "Bash", input: {} },
      null,
      "text",
      { type: "text", text: "" },
    ];
    const { events } = translate(INIT, assistant(blocks, { parent_tool_use_id: "t0" }));
    expect(casesOf(events)).toEqual([
      ...["session", "thinking", "notice", "text", "tool", "notice", "notice", "text"],
    ]);
    expect(valuesOf(events, "text")[0]).toMatchObject({
      text: "a",
      messageId: "msg_1",
      parentToolId: "t0",
    });
  });

  it("takes content that is one string", () => {
    expect(valuesOf(translate(assistant("hi")).events, "text")[0]?.text).toBe("hi");
  });

  it("goes on after a malformed block", () => {
    const blocks = [{ type: "text", text: 1 }, { type: "tool_use" }, { type: "text", text: "b" }];
    const { events } = translate(INIT, assistant(blocks));
    expect(casesOf(events)).toEqual(["session", "notice", "notice", "text"]);
    expect(new Set(reasonsOf(events))).toEqual(new Set([NoticeReason.MALFORMED_OUTPUT]));
  });

  it("keeps fields that became something else from hurting", () => {
    const odd = { parent_tool_use_id: 5, error: {}, session_id: [] };
    const { events } = translate(assistant("hi", odd, { id: 7, model: null, usage: "much" }));
    expect(valuesOf(events, "text")[0]).toMatchObject({ text: "hi", messageId: "" });
  });

  it("replaces lone surrogates", () => {
    const line = '{"type":"assistant","message":{"content":"a\\ud800b"}}';
    expect(valuesOf(translate(line).events, "text")[0]?.text).toBe("a\ufffdb");
  });

  it("bounds ids and names, whatever the agent calls them", () => {
    const long = "é".repeat(1e6);
    const block = { type: "tool_use", id: long, name: long, input: {} };
    const line = assistant([block], { parent_tool_use_id: long }, { id: long });
    const [tool] = valuesOf(translate(line).events, "tool");
    const lengths = [tool?.toolId, tool?.name, tool?.messageId, tool?.parentToolId];
    expect(lengths.map((text) => text?.length)).toEqual([300, 300, 300, 300]);
  });
});

describe("tool results", () => {
  it("are one text, whose other parts are named", () => {
    const parts = [
      { type: "text", text: "one" },
      { type: "image", source: { type: "base64", media_type: "image/png", data: "AA==" } },
      { type: "tool_reference", tool_name: "Read" },
      { type: "hologram" },
      7,
      { type: "text", text: "two" },
    ];
    const [result] = valuesOf(translate(answer(parts, { is_error: true })).events, "toolResult");
    expect(result?.content).toBe(
      "one\n[image image/png, 1 bytes]\n[tool_reference Read]\n[hologram]\n[unknown]\ntwo",
    );
    expect(result?.isError).toBe(true);
  });

  it("may be without content, or malformed", () => {
    expect(valuesOf(translate(answer(undefined)).events, "toolResult")[0]).toMatchObject({
      toolId: "t1",
      content: "",
      isError: false,
    });
    const content = [{ type: "tool_result", content: "of none" }];
    expect(reasonsOf(translate({ type: "user", message: { content } }).events)).toEqual([
      NoticeReason.MALFORMED_OUTPUT,
    ]);
  });

  it("are all that a user message is", () => {
    const texts = [{ type: "text", text: "[Request interrupted by user]" }];
    const lines = ["prompt", texts].map((content) => ({ type: "user", message: { content } }));
    expect(translate(...lines).events).toEqual([]);
  });
});
