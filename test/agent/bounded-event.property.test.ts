import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ApprovalRequestEventSchema,
  ApprovalResolutionEventSchema,
  ErrorEventSchema,
  NoticeEventSchema,
  ResultEventSchema,
  SteerEventSchema,
  TextEventSchema,
  ToolEventSchema,
  ToolResultEventSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../../src/agent/agent.ts";
import { boundEvent } from "../../src/agent/bounded-event.ts";
import { encodeEvents } from "../../src/turns/encoded-event.ts";

/** Texts of one, two, three or four bytes a character, about as long as what they are to be bounded to. */
const text = fc
  .tuple(fc.constantFrom("x", "é", "€", "\u{1d11e}"), fc.oneof(fc.nat(100), fc.nat(40_000)))
  .map(([character, length]) => character.repeat(length));
/** As the adapter bounds ids and names. */
const label = fc
  .tuple(fc.constantFrom("x", "€"), fc.constantFrom(0, 10, 300))
  .map(([character, length]) => character.repeat(length));
const description = fc.constantFrom("", "x".repeat(2000), "€".repeat(2000));
const ids = { messageId: label, parentToolId: label };
const tool = { toolId: label, ...ids };

const denial = fc.record({ toolId: label, name: label, inputJson: text });
const denials = fc.oneof(
  fc.array(denial, { maxLength: 5 }),
  fc
    .tuple(denial, fc.nat(2000))
    .map(([one, count]) => Array.from({ length: count }, () => ({ ...one }))),
);

const event: fc.Arbitrary<EventKind> = fc.oneof(
  fc.record({ text, ...ids }).map((value) => kind("text", create(TextEventSchema, value))),
  fc
    .record({ inputJson: text, name: label, ...tool })
    .map((value) => kind("tool", create(ToolEventSchema, value))),
  fc
    .record({ content: text, toolId: label, parentToolId: label })
    .map((value) => kind("toolResult", create(ToolResultEventSchema, value))),
  fc
    .record({ message: text, principal: label })
    .map((value) => kind("steer", create(SteerEventSchema, value))),
  fc
    .record({ inputJson: text, description: description, name: label, toolId: label })
    .map((value) => kind("approvalRequest", create(ApprovalRequestEventSchema, value))),
  fc
    .record({ inputJson: text, message: text, principal: label })
    .map((value) => kind("approvalResolution", create(ApprovalResolutionEventSchema, value))),
  fc.record({ message: text }).map((value) => kind("notice", create(NoticeEventSchema, value))),
  fc
    .record({ message: text, stderrTail: text.map((tail) => tail.slice(-8192)) })
    .map((value) => kind("error", create(ErrorEventSchema, value))),
  fc
    .record({
      result: text,
      stopReason: label,
      structuredOutputJson: text,
      permissionDenials: denials,
    })
    .map((value) => kind("result", create(ResultEventSchema, value as never))),
);

function kind<C extends EventKind["case"]>(
  name: C,
  value: Extract<EventKind, { case: C }>["value"],
): EventKind {
  return { case: name, value } as EventKind;
}

const IDS = { turnId: "t".repeat(36), sessionId: "s".repeat(36) };
/** The length that stands before an event. */
const LENGTH_BYTES = 5;

describe("boundEvent", () => {
  it("makes any event fit, to the limit that is set", () => {
    const limit = fc.constantFrom(16_384, 65_536, 300_000);
    const property = fc.property(event, limit, (one, maxBytes) => {
      boundEvent(one, maxBytes);
      const [encoded] = encodeEvents(IDS, 2 ** 32 - 1, Date.now(), [one]);
      expect(encoded?.length).toBeLessThanOrEqual(maxBytes + LENGTH_BYTES);
    });
    // What just fits beside nothing does not fit beside the longest description.
    const value = { inputJson: "x".repeat(12_288), description: "€".repeat(2000) };
    const tight = kind("approvalRequest", create(ApprovalRequestEventSchema, value));
    fc.assert(property, { numRuns: 1500, examples: [[tight, 16_384]] });
  });
});
