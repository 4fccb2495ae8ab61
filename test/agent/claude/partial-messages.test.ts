import { describe, expect, it, test } from "vitest";
import type { EventKind } from "../../../src/agent/agent.ts";
import { ClaudeTranslation } from "../../../src/agent/claude/translation.ts";
import { ShownText } from "../../support/shown-text.ts";
import { translateLine } from "../../support/translated-lines.ts";
import { append, assistant, INIT, translate } from "./lines.ts";
import { begin, close, open, piece, streamLine } from "./partial-lines.ts";
import { readTranscript, transcriptNames } from "./transcript.ts";

/** What a client shows behind each of some lines. */
function shownBehind(...lines: readonly (string | object)[]): string[] {
  const { translation } = translate(INIT);
  const shown = new ShownText();
  return lines.map((line) => {
    for (const kind of append(translation, line)) shown.take(kind);
    return shown.text;
  });
}

const say = (text: string, id = "msg_1") => assistant([{ type: "text", text }], {}, { id });

describe("text as it is written", () => {
  it("grows piece by piece, under its message's id, until its text comes", () => {
    const lines = [begin("msg_1"), open(0), piece(0, "up "), piece(0, "and running")];
    const { events, translation } = translate(INIT, ...lines);
    const delta = (text: string) => ({ case: "textDelta", value: { text, messageId: "msg_1" } });
    expect(events.slice(1)).toMatchObject([delta("up "), delta("and running")]);
    expect(append(translation, say("up and running"), close(0))).toMatchObject([{ case: "text" }]);
    expect(shownBehind(...lines, say("up and running"))).toEqual([
      ...["", "", "up ", "up and running"],
      "",
    ]);
  });

  it("of the second block of a message is not joined with the first, whose text has come", () => {
    const first = [begin("msg_1"), open(0), piece(0, "one"), say("one"), close(0)];
    const second = [open(1), piece(1, "two"), say("two"), close(1)];
    expect(shownBehind(...first, ...second).slice(5)).toEqual(["", "two", "", ""]);
  });

  it("of the second block is not joined with the first either where its text was lost", () => {
    const first = [begin("msg_1"), open(0), piece(0, "one"), '{"type":"assi', close(0)];
    expect(shownBehind(...first, open(1), piece(1, "two")).slice(3)).toEqual(["", "", "", "two"]);
    const log = [begin("msg_1"), open(0), piece(0, "one"), "a log", piece(0, "!"), close(0)];
    expect(shownBehind(...log).slice(3)).toEqual(["one", "one!", "one!"]);
    const silent = [begin("msg_1"), open(0), piece(0, "one"), close(0)];
    expect(shownBehind(...silent, open(1), piece(1, "two")).slice(2)).toEqual([
      ...["one", "one", "", "two"],
    ]);
  });

  it.each(["msg_1", "msg_2"])("is void where the model begins again, as %s", (id) => {
    const broken = [begin("msg_1"), open(0), piece(0, "partial te")];
    const again = [begin(id), open(0), piece(0, "partial text"), say("partial text", id)];
    expect(shownBehind(...broken, ...again).slice(2)).toEqual([
      ...["partial te", "", "", "partial text", ""],
    ]);
  });

  it("is void where a text that was not streamed takes its place", () => {
    const broken = [begin("msg_1"), open(0), piece(0, "partial te")];
    expect(shownBehind(...broken, say("fallback", "msg_2")).slice(2)).toEqual(["partial te", ""]);
  });

  it("is void where the CLI says that its blocks are abandoned", () => {
    const broken = [begin("msg_1"), open(0), piece(0, "partial te"), close(0)];
    const abandoned_blocks = { api_message_id: "msg_1", from_block_index: 0 };
    const stop = streamLine({ type: "message_stop" }, { abandoned_blocks });
    expect(shownBehind(...broken, stop).slice(2)).toEqual(["partial te", "partial te", ""]);
  });

  it.each([
    ["a line that is no JSON", "{"],
    ["a piece without a text", piece(0, 7)],
    ["a stream event without an event", { type: "stream_event" }],
    ["a piece of another block", piece(1, "other")],
  ])("has no gap: behind %s no more of the block is shown", (_, lost) => {
    const lines = [begin("msg_1"), open(0), piece(0, "one "), lost, piece(0, "three")];
    expect(shownBehind(...lines).slice(2)).toEqual(["one ", "", ""]);
  });

  it("is the agent's own: no subagent's, no reasoning, no tool's input, no older message's", () => {
    const sub = { parent_tool_use_id: "toolu_1" };
    const thought = { type: "thinking_delta", thinking: "hm" };
    const input = { type: "input_json_delta", partial_json: "{" };
    const lines = [
      ...[begin("msg_1"), open(0), piece(0, "mine")],
      ...[begin("msg_s", sub), open(0, "text", sub), piece(0, "theirs", sub)],
      piece(0, "older", { api_message_id: "msg_0" }),
      streamLine({ type: "content_block_delta", index: 0, delta: thought }),
      streamLine({ type: "content_block_delta", index: 0, delta: input }),
    ];
    expect(shownBehind(...lines).slice(2)).toEqual(Array(lines.length - 2).fill("mine"));
    expect(shownBehind(begin("msg_1"), open(0, "tool_use"), piece(0, "x")).at(-1)).toBe("");
  });

  it("keeps a character whole that is cut between two pieces", () => {
    const lines = [begin("msg_1"), open(0), piece(0, "a\ud83d"), piece(0, "\ude00b")];
    expect(shownBehind(...lines).slice(2)).toEqual(["a", "a😀b"]);
  });

  it("is not given before the agent has come up, nor after the turn's end", () => {
    const lines = [begin("msg_1"), open(0), piece(0, "x")];
    expect(translate(...lines).events).toEqual([]);
    const { translation } = translate(INIT, { type: "result", subtype: "success" });
    expect(append(translation, ...lines)).toEqual([]);
  });
});

const streamed = transcriptNames().filter((name) =>
  readTranscript(name).lines.some((line) => line.includes('"stream_event"')),
);

test("there are recorded runs that text was streamed in", () => {
  expect(streamed.length).toBeGreaterThanOrEqual(6);
});

test.each(streamed)(
  "%s: what is shown before each text is it, or void before the other",
  (name) => {
    const { lines, agent, resumed } = readTranscript(name);
    const translation = new ClaudeTranslation({ agent, resumed });
    const shown = new ShownText();
    const before: string[] = [];
    const texts: string[] = [];
    for (const line of lines) {
      const events: EventKind[] = [];
      translateLine(translation, line, events);
      for (const kind of events) {
        if (kind.case === "text") {
          before.push(shown.text);
          texts.push(kind.value.text);
        }
        shown.take(kind);
      }
    }
    expect(shown.text).toBe("");
    // A stream that was cut is void with the text of another message that takes its place, and has not been joined with it.
    const isFallback = (text: string) => text === "nonstream-fallback-ok";
    for (const [index, text] of texts.entries()) {
      if (isFallback(text)) expect(["", "partial text before cut"]).toContain(before[index]);
      else expect(before[index]).toBe(text);
    }
  },
);
