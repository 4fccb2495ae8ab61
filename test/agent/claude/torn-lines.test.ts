import { describe, expect, it } from "vitest";
import type { Message } from "../../../src/agent/claude/line.ts";
import { TornLines } from "../../../src/agent/claude/torn-lines.ts";

const RESULT = {
  type: "result",
  subtype: "success",
  result: 'it is "done" {here}',
  n: [1, { a: 2 }],
};
const LIMIT = { type: "rate_limit_event", rate_limit_info: { status: "allowed" } };
const WORDS = { type: "assistant", message: { content: [{ type: "text", text: "words" }] } };
const text = (object: object) => JSON.stringify(object);

/** What lines are read as: their messages, and how many bytes were thrown away each time. */
function readAll(lines: readonly string[]): { messages: Message[]; thrown: number[] } {
  const [messages, thrown]: [Message[], number[]] = [[], []];
  const torn = new TornLines();
  // One piece of memory for all, as in the field.
  const memory = Buffer.alloc(1024 * 1024);
  for (const line of lines) {
    const length = memory.write(line);
    torn.read(memory.subarray(0, length), {
      message: (message) => messages.push(message),
      malformed: ({ bytes }) => thrown.push(bytes),
      refused: (bytes) => thrown.push(bytes),
    });
  }
  return { messages, thrown };
}

describe("a message is whole again", () => {
  const whole = text(RESULT);

  it("wherever a newline came into it", () => {
    for (let at = 1; at < whole.length; at++) {
      const { messages } = readAll([text(WORDS), whole.slice(0, at), whole.slice(at), text(LIMIT)]);
      expect(messages, `cut at ${at}`).toEqual([WORDS, RESULT, LIMIT]);
    }
  });

  it("wherever another's line came into it, with its newline", () => {
    for (let at = 1; at < whole.length; at++) {
      const { messages } = readAll([whole.slice(0, at) + text(LIMIT), whole.slice(at)]);
      expect(messages, `cut at ${at}`).toEqual([LIMIT, RESULT]);
    }
  });
});

it("nothing waits for a rest, and what comes next is itself", () => {
  const head = text(RESULT).slice(0, 40);
  expect(readAll([head + text(LIMIT), text(WORDS)])).toEqual({
    messages: [LIMIT, WORDS],
    thrown: [40],
  });
  expect(readAll([head, text(WORDS), text(RESULT).slice(40)])).toMatchObject({ messages: [WORDS] });
  expect(readAll([head, "not its rest", text(RESULT).slice(40)])).toMatchObject({ messages: [] });
});

it("what is written in a text is no message, torn or not", () => {
  const evil = text({ type: "assistant", message: { content: text(RESULT) } });
  for (let at = 1; at < evil.length; at++) {
    const { messages } = readAll([evil.slice(0, at), evil.slice(at)]);
    expect(messages.map(({ type }) => type)).not.toContain("result");
  }
});
