import {
  create,
  type DescMessage,
  type MessageInitShape,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BreakglassService,
  ListTurnsRequestSchema,
  ResolveApprovalRequestSchema,
  RunTurnRequestSchema,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { Refusal } from "../../src/errors.ts";
import { decodeMessage } from "../../src/rpc/decode-message.ts";
import { MessageTooLarge } from "../../src/rpc/message-bounds.ts";
import { BINARY_SHAPES, JSON_SHAPES } from "../support/message-shapes.ts";

const MAX_BYTES = 64 * 1024;

function decode(desc: DescMessage, bytes: Uint8Array, isJson: boolean, textBytes = MAX_BYTES) {
  const received = { bytes, encoding: undefined, isJson, maxBytes: MAX_BYTES, textBytes };
  return decodeMessage(desc, received);
}

/** Reads it, or sees that it is refused and nothing else. */
function decodeOrRefuse(desc: DescMessage, bytes: Uint8Array, isJson: boolean): void {
  try {
    decode(desc, bytes, isJson);
  } catch (error) {
    if (!(error instanceof Refusal) && !(error instanceof MessageTooLarge)) throw error;
    expect(error.message.length).toBeLessThan(300);
  }
}

const attachment = fc.record({
  name: fc.string({ unit: "grapheme" }),
  mediaType: fc.string(),
  data: fc.uint8Array({ maxLength: 40 }),
});
const runTurn: fc.Arbitrary<MessageInitShape<typeof RunTurnRequestSchema>> = fc.record({
  sessionId: fc.string(),
  prompt: fc.string({ unit: "grapheme" }),
  timeout: fc.record({ seconds: fc.bigInt(0n, 1000n), nanos: fc.nat(999_999_999) }),
  textDeltas: fc.boolean(),
  permissionMode: fc.constantFrom(PermissionMode.ASK, PermissionMode.UNSPECIFIED),
  attachments: fc.array(attachment, { maxLength: 20 }),
});
const request = fc.oneof(
  runTurn.map((init) => [RunTurnRequestSchema, create(RunTurnRequestSchema, init)] as const),
  fc
    .oneof(
      fc.record({
        case: fc.constant("allow" as const),
        value: fc.record({ inputJson: fc.json() }),
      }),
      fc.record({ case: fc.constant("allow" as const), value: fc.constant({}) }),
      fc.record({ case: fc.constant("deny" as const), value: fc.record({ message: fc.string() }) }),
    )
    .map((decision) => create(ResolveApprovalRequestSchema, { turnId: "t", decision }))
    .map((message) => [ResolveApprovalRequestSchema, message] as const),
  fc
    .record({
      states: fc.array(fc.constantFrom(TurnState.RUNNING, TurnState.LOST)),
      since: fc.record({ seconds: fc.bigInt(0n, 1_000_000n) }),
    })
    .map((init) => [ListTurnsRequestSchema, create(ListTurnsRequestSchema, init)] as const),
);

describe("a list of numbers", () => {
  const STATES = 4;
  const packed = (count: number) =>
    new BinaryWriter()
      .uint32((STATES << 3) | 2)
      .bytes(new Uint8Array(count).fill(1))
      .finish();

  it("is read in one field or in one for each", () => {
    const single = Uint8Array.of(STATES << 3, 1, STATES << 3, 1);
    for (const bytes of [packed(2), single]) {
      const read = decode(ListTurnsRequestSchema, bytes, false);
      expect(read).toMatchObject({ states: [TurnState.RUNNING, TurnState.RUNNING] });
    }
  });

  it("counts each of them, however they are written", () => {
    expect(() => decode(ListTurnsRequestSchema, packed(1000), false)).toThrow("1000");
    expect(() => decode(ListTurnsRequestSchema, Uint8Array.of(34, 2, 1, 0xff), false)).toThrow(
      Refusal,
    );
  });
});

describe("a list of texts", () => {
  const paths = (count: number) => {
    const message = create(FieldMaskSchema, { paths: new Array<string>(count).fill("path") });
    return toBinary(FieldMaskSchema, message);
  };

  it("is read, and each of them counted", () => {
    expect(decode(FieldMaskSchema, paths(1000), false)).toMatchObject({
      paths: expect.objectContaining({ length: 1000 }),
    });
    expect(() => decode(FieldMaskSchema, paths(1001), false)).toThrow("1000");
  });

  it("has its text bounded, and says which of them is wrong", () => {
    expect(() => decode(FieldMaskSchema, paths(3), false, 11)).toThrow("paths[2]");
    expect(() => decode(FieldMaskSchema, Uint8Array.of(10, 1, 0xff), false)).toThrow(
      "paths[0] must be UTF-8",
    );
  });
});

describe("a message", () => {
  it("is read as it was written, in both formats", () => {
    const property = fc.property(request, ([desc, message]) => {
      const binary = toBinary(desc as DescMessage, message);
      const json = Buffer.from(toJsonString(desc as DescMessage, message));
      expect(decode(desc, binary, false)).toEqual(message);
      expect(decode(desc, json, true)).toEqual(message);
    });
    fc.assert(property, { numRuns: 500 });
  });

  it("is read or refused, whatever becomes of its bytes", () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.nat(3)), {
      minLength: 1,
      maxLength: 4,
    });
    const property = fc.property(request, changes, fc.boolean(), ([desc, message], all, isJson) => {
      let bytes = isJson
        ? Buffer.from(toJsonString(desc as DescMessage, message))
        : Buffer.from(toBinary(desc as DescMessage, message));
      for (const [place, by, how] of all) {
        const at = place % (bytes.length + 1);
        const put = how === 0 ? [] : [by];
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from(put),
          bytes.subarray(at + (how === 1 ? 0 : 1)),
        ]);
      }
      decodeOrRefuse(desc, bytes, isJson);
    });
    fc.assert(property, { numRuns: 3000 });
  });

  it("of any method is read or refused, of whichever shape", () => {
    for (const { input } of BreakglassService.methods) {
      for (const bytes of [0, 1, 2, 100, 5000, MAX_BYTES, MAX_BYTES + 1]) {
        for (const { make } of BINARY_SHAPES) decodeOrRefuse(input, make(input, bytes), false);
        for (const { make } of JSON_SHAPES) decodeOrRefuse(input, make(input, bytes), true);
      }
    }
  });

  it("may have so much text in all its strings, and names the one that is too much", () => {
    const message = create(RunTurnRequestSchema, {
      prompt: "é".repeat(20),
      attachments: [{ name: "a".repeat(10) }, { name: "b".repeat(10), data: new Uint8Array(1000) }],
    });
    const binary = toBinary(RunTurnRequestSchema, message);
    const json = Buffer.from(toJsonString(RunTurnRequestSchema, message));
    for (const [bytes, isJson] of [
      [binary, false],
      [json, true],
    ] as const) {
      expect(decode(RunTurnRequestSchema, bytes, isJson, 60)).toEqual(message);
      expect(() => decode(RunTurnRequestSchema, bytes, isJson, 59)).toThrow(
        "attachments[1].name is too long: a request may have at most 59 bytes of text",
      );
    }
  });

  it("keeps no fields that nobody knows", () => {
    const bytes = Buffer.from([0x70, 1, 0xfa, 0x7f, 3, 1, 2, 3]);
    expect(decode(RunTurnRequestSchema, bytes, false).$unknown).toBeUndefined();
  });
});
