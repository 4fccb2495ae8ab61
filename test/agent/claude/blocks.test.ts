import { describe, expect, it } from "vitest";
import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { assistant, casesOf, INIT, translate, valuesOf } from "./lines.ts";

/** What a block of the model's message is told as. */
function block(value: object) {
  return translate(INIT, assistant(value)).events.slice(1);
}

/** What a tool's answer is as text. */
function answer(content: unknown) {
  const result = { type: "tool_result", tool_use_id: "t", content };
  const line = { type: "user", message: { content: [result] } };
  return valuesOf(translate(INIT, line).events, "toolResult").map((value) => value.content);
}

describe("a block of the model's message", () => {
  it.each(["tool_use", "server_tool_use", "mcp_tool_use", "later_tool_use"])(
    "with a name and an input is a tool call: %s",
    (type) => {
      const [event] = block({ type, id: "srv_1", name: "web_search", input: { query: "x" } });
      expect(event).toMatchObject({
        case: "tool",
        value: { toolId: "srv_1", name: "web_search", inputJson: '{"query":"x"}' },
      });
    },
  );

  it.each(["mcp_tool_result", "web_search_tool_result", "tool_result"])(
    "with what such a call answered is its result: %s",
    (type) => {
      const content = [{ type: "text", text: "found" }];
      expect(block({ type, tool_use_id: "srv_1", is_error: true, content })).toMatchObject([
        { case: "toolResult", value: { toolId: "srv_1", isError: true, content: "found" } },
      ]);
    },
  );

  it("with encrypted reasoning is a notice", () => {
    expect(block({ type: "redacted_thinking", data: "xyz" })).toMatchObject([
      { case: "notice", value: { reason: NoticeReason.AGENT_WARNING } },
    ]);
  });

  it("of another kind is a notice that names it", () => {
    const [event] = block({ type: "hologram", id: "h" });
    expect(event).toMatchObject({ value: { reason: NoticeReason.MALFORMED_OUTPUT } });
    expect(JSON.stringify(event)).toContain("hologram");
    expect(casesOf(block({ id: "h" }))).toEqual(["notice"]);
  });

  it("of another kind beside tools' answers is a notice too, and what somebody said is nothing", () => {
    const content = [{ type: "text", text: "said" }, { type: "hologram" }, { type: "image" }];
    const { events } = translate(INIT, { type: "user", message: { content } });
    expect(JSON.stringify(valuesOf(events, "notice"))).toContain("hologram");
    expect(casesOf(events.slice(1))).toEqual(["notice"]);
  });

  it("that is all there is in place of a list counts", () => {
    const message = { content: { type: "text", text: "alone" } };
    expect(valuesOf(translate({ type: "assistant", message }).events, "text")).toMatchObject([
      { text: "alone" },
    ]);
  });
});

describe("a tool's answer", () => {
  it.each([
    [{ rows: [1, null] }, '{"rows":[1,null]}'],
    [{ type: "text", text: "x" }, '{"type":"text","text":"x"}'],
    [42, "42"],
    [false, "false"],
    [null, "null"],
    [undefined, ""],
  ])("is one whatever it is: %j", (content, text) => {
    expect(answer(content)).toEqual([text]);
  });

  it("stands in a block that is all there is in place of a list", () => {
    const content = { type: "tool_result", tool_use_id: "t", content: "x" };
    const { events } = translate(INIT, { type: "user", message: { content } });
    expect(valuesOf(events, "toolResult")).toMatchObject([{ toolId: "t", content: "x" }]);
  });

  it.each([
    [
      "a document of text",
      {
        type: "document",
        title: "Log",
        source: { type: "text", media_type: "text/plain", data: "line" },
      },
      "Log\nline",
    ],
    [
      "a document of parts",
      {
        type: "document",
        source: {
          type: "content",
          content: [
            { type: "text", text: "a" },
            { type: "text", text: "b" },
          ],
        },
      },
      "a\nb",
    ],
    [
      "a document of data",
      {
        type: "document",
        source: { type: "base64", media_type: "application/pdf", data: "aGVsbG8=" },
      },
      "[document application/pdf, 5 bytes]",
    ],
    [
      "a search result",
      {
        type: "search_result",
        source: "http://x/",
        title: "Found",
        content: [{ type: "text", text: "here" }],
      },
      "Found\nhere",
    ],
    [
      "a fetched page",
      {
        type: "web_fetch_result",
        url: "http://x/",
        content: { type: "document", source: { type: "text", data: "page" } },
      },
      "http://x/\npage",
    ],
    [
      "a result of a search",
      { type: "web_search_result", url: "http://x/", title: "Found", encrypted_content: "…" },
      "[web_search_result Found]",
    ],
    [
      "a resource of text",
      { type: "resource", resource: { uri: "file:///a", mimeType: "text/plain", text: "inside" } },
      "inside",
    ],
    [
      "a resource of data",
      { type: "resource", resource: { uri: "file:///a", mimeType: "image/png", blob: "AAAA" } },
      "[resource image/png, 3 bytes] file:///a",
    ],
    ["a link", { type: "resource_link", uri: "file:///a", name: "a" }, "[resource_link a]"],
    [
      "an image",
      { type: "image", source: { type: "base64", media_type: "image/png", data: "aGVsbG8=" } },
      "[image image/png, 5 bytes]",
    ],
    [
      "an image of an MCP server",
      { type: "image", data: "aGVs", mimeType: "image/jpeg" },
      "[image image/jpeg, 3 bytes]",
    ],
    [
      "a sound",
      { type: "audio", data: "aGVs", mimeType: "audio/wav" },
      "[audio audio/wav, 3 bytes]",
    ],
  ])("shows what is text in it, and names the rest: %s", (_, part, text) => {
    expect(answer([{ type: "text", text: "before" }, part])).toEqual([`before\n${text}`]);
  });
});

describe("what a failed turn says", () => {
  it.each([
    [{ errors: [{ message: "out of credit" }, "again"] }, "out of credit\nagain"],
    [{ errors: [{ code: 7 }] }, '{"code":7}'],
    [{ errors: "one" }, "one"],
    [{ errors: [], error: { type: "overloaded", message: "busy" } }, "busy"],
    [{ error: "broken" }, "broken"],
    [{ error: { error: "inner" } }, "inner"],
    [{ errors: [null] }, "error_during_execution"],
  ])("is in words: %j", (fields, text) => {
    const line = { type: "result", subtype: "error_during_execution", ...fields };
    expect(valuesOf(translate(INIT, line).events, "result")).toMatchObject([
      { isError: true, result: text },
    ]);
  });
});

describe("a hook that failed", () => {
  const hook = (fields: object) =>
    valuesOf(
      translate({
        type: "system",
        subtype: "hook_response",
        hook_name: "PreToolUse:Bash",
        ...fields,
      }).events,
      "notice",
    );

  it("is named, with its exit code and the end of what it wrote to stderr", () => {
    const stderr = `${"x".repeat(5000)} no such file\n`;
    const [notice] = hook({ exit_code: 127, outcome: "error", stderr });
    expect(notice?.reason).toBe(NoticeReason.AGENT_WARNING);
    expect(notice?.message).toMatch(
      /^The hook PreToolUse:Bash failed \(exit code 127\): x+ no such file$/,
    );
    expect(notice?.message.length).toBeLessThan(1200);
    expect(hook({ outcome: "timed_out" })[0]?.message).toContain("(timed_out)");
  });

  it("is nothing where it did not", () => {
    expect(hook({ exit_code: 0, outcome: "success", stderr: "a warning" })).toEqual([]);
  });
});
