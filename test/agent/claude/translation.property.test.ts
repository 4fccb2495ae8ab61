import fc from "fast-check";
import { expect, it } from "vitest";
import type { EventKind } from "../../../src/agent/agent.ts";
import { translate } from "./lines.ts";

/** Ids and names as they may come, also longer than a field takes and with halves of characters. */
const id = fc.oneof(
  fc.uuid(),
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "\ud800", `${"\u{1d11e}".repeat(149)}xx\u{1d11e}`, "x".repeat(1000)),
);
const text = fc.string({ unit: "binary" });

const block = fc.oneof(
  fc.record({ type: fc.constant("text"), text }),
  fc.record({ type: fc.constant("thinking"), thinking: text }),
  fc.record({ type: fc.constant("tool_use"), id, name: id, input: fc.dictionary(text, fc.nat()) }),
);
const answerBlock = fc.oneof(
  fc.record({
    type: fc.constant("tool_result"),
    tool_use_id: id,
    content: text,
    is_error: fc.boolean(),
  }),
  fc.record({ type: fc.constant("text"), text }),
);
const parent = fc.oneof(fc.constant(null), id);
const line = fc.oneof(
  fc.record({
    type: fc.constant("assistant"),
    message: fc.record({ id, content: fc.array(block, { maxLength: 4 }) }),
    parent_tool_use_id: parent,
  }),
  fc.record({
    type: fc.constant("user"),
    message: fc.record({ content: fc.array(answerBlock, { maxLength: 4 }) }),
    parent_tool_use_id: parent,
  }),
);

type Line = typeof line extends fc.Arbitrary<infer T> ? T : never;

it("tells of every block, in order, under the ids that its line has", () => {
  const property = fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
    const { events } = translate(...lines);
    const told = events.filter((event) => event.case !== "session").map(toldOf);
    expect(told).toEqual(lines.flatMap(expectedOf));
  });
  fc.assert(property, { numRuns: 2000 });
});

function toldOf({ case: kind, value }: EventKind): unknown[] {
  switch (kind) {
    case "text":
    case "thinking":
      return [kind, value.text, value.messageId, value.parentToolId];
    case "tool":
      return [kind, value.toolId, value.name, value.inputJson, value.messageId, value.parentToolId];
    case "toolResult":
      return [kind, value.toolId, value.isError, value.content, value.parentToolId];
    default:
      return [kind];
  }
}

/** What a line says, read as plainly as can be. */
function expectedOf(said: Line): unknown[][] {
  const parentId = short(said.parent_tool_use_id);
  if (said.type === "user") {
    return said.message.content.flatMap((part) =>
      part.type === "tool_result"
        ? [
            [
              "toolResult",
              short(part.tool_use_id),
              part.is_error,
              part.content.toWellFormed(),
              parentId,
            ],
          ]
        : [],
    );
  }
  const messageId = short(said.message.id);
  return said.message.content.flatMap((part) => {
    switch (part.type) {
      case "text":
        return [["text", part.text.toWellFormed(), messageId, parentId]];
      case "thinking":
        return [["thinking", part.thinking.toWellFormed(), messageId, parentId]];
      case "tool_use": {
        const input = JSON.stringify(part.input);
        return [["tool", short(part.id), short(part.name), input, messageId, parentId]];
      }
      default:
        return [];
    }
  });
}

function short(name: string | null | undefined): string {
  return (name ?? "").slice(0, 300).toWellFormed();
}
