import { deserialize, serialize } from "node:v8";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EventKind } from "../../../src/agent/agent.ts";
import { boundEvent } from "../../../src/agent/bounded-event.ts";
import * as messages from "../../../src/agent/claude/messages.ts";
import { prepareLine } from "../../../src/agent/claude/prepare-line.ts";
import { givePart, inGroups, type PreparedPart } from "../../../src/agent/claude/prepared-line.ts";
import { type LineReader, readLine } from "../../../src/agent/claude/read-line.ts";
import { ClaudeTranslation } from "../../../src/agent/claude/translation.ts";
import { anyBytes } from "../../support/arbitrary-bytes.ts";
import { anyMessage, anyMutatedLine, anyMutatedTurn } from "../../support/arbitrary-lines.ts";
import { assistant, INIT, synthetic, toolLine } from "./lines.ts";

const MAX_EVENT_BYTES = 16 * 1024;

type Line = string | Uint8Array;
type Reading = (bytes: Uint8Array, to: LineReader) => void;

const here: Reading = readLine;
/** As the thread does, and whoever gets what it made. */
const elsewhere: Reading = (bytes, to) => {
  for (const group of inGroups(prepareLine(bytes, MAX_EVENT_BYTES))) {
    for (const part of deserialize(serialize(group)) as PreparedPart[]) givePart(part, to);
  }
};

/** What a turn makes of lines: its events as they go on record, what is asked, and what is spent. */
function meaning(lines: readonly Line[], read: Reading) {
  const events: EventKind[] = [];
  const asked: unknown[] = [];
  const roleOf = ({ result }: messages.ResultMessage) => {
    // What it has to be known for whose it is.
    asked.push(result ? "has words" : "says nothing");
    return "end" as const;
  };
  const translation = new ClaudeTranslation({ agent: "a", resumed: false, roleOf });
  for (const line of lines) {
    read(Buffer.from(line), {
      message: (message, content) => {
        const { data } = messages.toolRequest.safeParse(message);
        if (message.type === "control_request") {
          asked.push(
            data && { name: data.request.tool_name, ...shown(content.inputOf(data.request)) },
          );
        }
        translation.append(message, content, events);
      },
      malformed: (thrown, count) => translation.malformed(thrown, count, events),
      refused: (bytes, cause) => translation.refused(bytes, cause, events),
    });
  }
  for (const event of events) boundEvent(event, MAX_EVENT_BYTES);
  return { events, asked, spending: translation.spending, ended: translation.ended };
}

function shown(input: { json: string; truncated: boolean; totalBytes: bigint }) {
  const bytes = Buffer.byteLength(input.json);
  if (bytes <= MAX_EVENT_BYTES) return input;
  return { json: "", truncated: true, totalBytes: BigInt(bytes) };
}

/** A line with an object in the middle of it. */
function inTheMiddle(line: string, object: object): string {
  const at = line.length >> 1;
  return line.slice(0, at) + JSON.stringify(object) + line.slice(at);
}

function expectSame(...lines: readonly Line[]): void {
  expect(meaning(lines, elsewhere)).toEqual(meaning(lines, here));
}

describe("a line that is read elsewhere means what it means here:", () => {
  it("any bytes, and any known message whose fields are anything", () => {
    const line = fc.oneof(anyBytes(60), anyMessage());
    fc.assert(
      fc.property(line, (bytes) => expectSame(bytes)),
      { numRuns: 3000 },
    );
  });

  it("recorded lines and turns after changes", () => {
    fc.assert(
      fc.property(anyMutatedLine(), (line) => expectSame(line)),
      { numRuns: 2000 },
    );
    const turn = fc.property(anyMutatedTurn(), ({ lines }) => expectSame(...lines));
    fc.assert(turn, { numRuns: 300 });
  });

  it("any messages of one line, between any words, whole and cut", () => {
    const piece = fc.oneof(
      anyBytes(20),
      anyMessage().map((line) => Buffer.from(line)),
      anyMutatedLine().map((line) => Buffer.from(line)),
      fc
        .tuple(anyMessage(), fc.nat())
        .map(([line, at]) => Buffer.from(line.slice(0, at % line.length))),
      fc
        .constantFrom("\u001b[2K", "\ufeff", "[sandbox] ", "{", '{"')
        .map((text) => Buffer.from(text)),
    );
    const line = fc.array(piece, { minLength: 2, maxLength: 6 }).map((all) => Buffer.concat(all));
    fc.assert(
      fc.property(line, (bytes) => expectSame(bytes)),
      { numRuns: 2000 },
    );
  });

  const large = "x€\ud800\n".repeat(100_000);
  // More than goes into one part.
  const blocks = Array.from({ length: 100 }, (_, n) => ({
    type: "text",
    text: `${n}${large.slice(0, 17_000)}`,
  }));
  const usage = { input_tokens: 3, output_tokens: 4 };
  const results = [0, 1, 2].map((n) => ({
    type: "tool_result",
    tool_use_id: `t${n}`,
    content: large,
  }));
  const denial = { tool_name: large, tool_use_id: "t", tool_input: { command: large } };

  it.each<[string, object | string]>([
    ["large blocks", assistant(blocks)],
    ["large blocks of a message without an id", assistant(blocks, {}, { id: null, usage })],
    ["a text that is no block", assistant(large)],
    ["more blocks than are looked at", assistant(Array(2000).fill({ type: "text", text: "y" }))],
    ["what the CLI wrote itself", synthetic(large)],
    ["large names", assistant(blocks, { parent_tool_use_id: large }, { id: large, model: large })],
    ["answers of tools", { type: "user", message: { content: results } }],
    ["numbers as they were written", toolLine('{"n":[1.0,1e5,-0,9007199254740993]}')],
    ["an input that is large", toolLine(`{"n":1.0,"text":${JSON.stringify(large)}}`)],
    ["a result", { type: "result", subtype: "success", result: large, total_cost_usd: 2, usage }],
    ["denials", { type: "result", subtype: "x", permission_denials: Array(30).fill(denial) }],
    [
      "a result that says that there is no conversation",
      `{"type":"result","errors":["No conversation found with session ID: 1","${"x".repeat(100_000)}"]}`,
    ],
    ["a type that is large", { type: large }],
    ["a kind that lacks something", { type: "system", subtype: "informational", level: large }],
    ["a notice", { type: "system", subtype: "informational", level: "warning", content: large }],
    [
      "blocks of every kind",
      assistant([
        { type: "redacted_thinking", data: large },
        { type: "server_tool_use", id: "t0", name: "web_search", input: { query: large } },
        {
          type: "web_search_tool_result",
          tool_use_id: "t0",
          content: [{ title: large, url: "u" }],
        },
        { type: "mcp_tool_result", tool_use_id: "t1", content: { type: "text", text: large } },
        { type: "of no kind", text: large },
      ]),
    ],
    ["a block in place of a list", assistant({ type: "text", text: large })],
    ["an answer in place of a list", { type: "user", message: { content: results[0] } }],
    ["errors of any shape", { type: "result", subtype: "x", errors: { why: large }, error: large }],
    [
      "servers that are not there",
      { ...INIT, mcp_servers: [{ name: large, status: "failed" }], more: large },
    ],
    ["words around an object", `[sandbox] ${JSON.stringify(assistant(large))} done`],
    ["an object in the middle of another", inTheMiddle(toolLine('{"n":1.0}'), { type: "system" })],
    [
      "several objects",
      `\u001b[2K${JSON.stringify(assistant(blocks))}${toolLine('{"n":1.0}')}${JSON.stringify({ type: "result", result: large })}`,
    ],
    ["nothing but words", `{ ${large.replaceAll("\n", " ")}`],
    ["a field that nobody knows", { ...assistant([{ type: "text", text: "y" }]), more: [large] }],
  ])("%s", (_what, line) => {
    expectSame(typeof line === "string" ? line : JSON.stringify(line));
  });

  it.each([
    ["that fits", '{"n":1.0}'],
    ["that is too large", JSON.stringify({ command: large })],
    ["that is none", '"text"'],
  ])("a question with an input %s", (_what, input) => {
    const request = `{"subtype":"can_use_tool","tool_name":"Bash","input":${input}}`;
    expectSame(`{"type":"control_request","request_id":"r","request":${request}}`);
  });

  it("a piece of text that is not whole is lost, and what was given before it is void", () => {
    const delta = (text: string) => ({
      type: "stream_event",
      event: { type: "content_block_delta", index: 0, delta: { type: "text_delta", text } },
    });
    const start = {
      type: "stream_event",
      event: { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    };
    const lines = [assistant([]), start, delta("a"), delta("x".repeat(2_000_000)), delta("b")];
    const { events } = meaning(
      lines.map((line) => JSON.stringify(line)),
      elsewhere,
    );
    const texts = events.flatMap(({ case: kind, value }) =>
      kind === "textDelta" ? value.text : [],
    );
    expect(texts).toEqual(["a", ""]);
  });
});

it("what is left of a line is small, whatever it holds that nobody looks into", () => {
  const many = Array.from({ length: 40_000 }, (_, n) => `${n}${"x".repeat(500)}`);
  for (const field of ["tool_use_result", "agents", "errors"]) {
    const line = JSON.stringify({
      type: "system",
      subtype: "init",
      session_id: "s",
      [field]: many,
    });
    const parts = prepareLine(Buffer.from(line), MAX_EVENT_BYTES).map((part) => serialize(part));
    expect(parts).toHaveLength(1);
    expect(parts[0]!.length).toBeLessThan(3 * 1024 * 1024);
  }
});

it("what is given in one go is little, of a line of very many messages too", () => {
  const one = JSON.stringify({ type: "system", subtype: "informational", content: "y" });
  const parts = prepareLine(Buffer.from(one.repeat(5000)), MAX_EVENT_BYTES);
  const groups = inGroups(parts);
  expect(groups.flat()).toEqual(parts);
  expect(groups).toHaveLength(100);
  const long = JSON.stringify(assistant("y".repeat(40_000)));
  expect(inGroups(prepareLine(Buffer.from(long.repeat(5)), MAX_EVENT_BYTES))).toHaveLength(5);
});
