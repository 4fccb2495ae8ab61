import { create, toBinary } from "@bufbuild/protobuf";
import { sizeDelimitedEncode } from "@bufbuild/protobuf/wire";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type TurnEvent, TurnEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../../src/agent/agent.ts";
import { decodeEvent, encodeEvents } from "../../src/turns/encoded-event.ts";

const ids = {
  turnId: "01890a5d-ac96-774b-bcce-b302099a8057",
  sessionId: "01890a5d-ac96-474b-bcce-b302099a8057",
};
const text = fc.string({ unit: "grapheme", maxLength: 300 });
const count = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

/** Kinds of plain fields only, and kinds with all else that a message can have. */
const kind: fc.Arbitrary<EventKind> = fc.oneof(
  fc
    .record({
      text,
      messageId: text,
      parentToolId: text,
      truncated: fc.boolean(),
      totalBytes: count,
    })
    .map((fields) => created("text", fields)),
  fc
    .record({ toolId: text, isError: fc.boolean(), content: text, parentToolId: text })
    .map((fields) => created("toolResult", fields)),
  fc
    .record({ toolId: text, name: text, inputJson: text, truncated: fc.boolean() })
    .map((fields) => created("tool", fields)),
  fc
    .record({ reason: fc.integer({ min: 0, max: 12 }), message: text, attempt: fc.nat(9) })
    .map((fields) => created("notice", { ...fields, delay: { seconds: 1n, nanos: 5 } })),
  fc
    .record({ result: text, isError: fc.boolean(), totalCostUsd: fc.double(), numTurns: fc.nat() })
    .map((fields) =>
      created("result", { ...fields, usage: { inputTokens: 3n }, apiErrorStatus: 0 }),
    ),
);

describe("events as they are recorded", () => {
  it("have the bytes that protobuf gives to a TurnEvent, each behind its length", () => {
    const batches = fc.array(kind, { maxLength: 20 });
    fc.assert(
      fc.property(batches, fc.integer({ min: 1 }), fc.nat(2 ** 41), (kinds, first, time) => {
        const events = encodeEvents(ids, first, time, kinds);
        const expected = kinds.map((each, index) => {
          const createTime = timestampFromMs(time);
          const fields = { ...ids, sequence: first + index, createTime, kind: each };
          return sizeDelimitedEncode(TurnEventSchema, create(TurnEventSchema, fields));
        });
        expect(events).toEqual(expected);
      }),
    );
  });

  it("are read back as what they were", () => {
    const event = created("text", { text: "…", totalBytes: 7n });
    const [encoded] = encodeEvents(ids, 5, 1000, [event]);
    const { sequence, kind: found, turnId } = decodeEvent(encoded!);
    expect({ sequence, turnId, found }).toEqual({ sequence: 5, turnId: ids.turnId, found: event });
    expect(toBinary(TurnEventSchema, decodeEvent(encoded!))).toEqual(encoded!.subarray(1));
  });
});

function created(name: EventKind["case"], value: object): EventKind {
  const { kind: made } = create(TurnEventSchema, {
    kind: { case: name, value } as TurnEvent["kind"],
  });
  if (made.case === undefined) throw new Error(`there is no ${name}`);
  return made;
}
