import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { sizeDelimitedEncode, WireType } from "@bufbuild/protobuf/wire";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ErrorReason,
  NoticeReason,
  type TurnEvent,
  TurnEventSchema,
  TurnState,
} from "../../gen/breakglass/v1/event_pb.ts";
import { FLAT_KINDS, FlatEvents } from "../../src/http/flat-event.ts";
import { decodeEvent } from "../../src/turns/encoded-event.ts";

type Kind = NonNullable<MessageInitShape<typeof TurnEventSchema>["kind"]>;

const event = (kind: Kind): TurnEvent =>
  create(TurnEventSchema, {
    sequence: 7,
    turnId: "the turn",
    sessionId: "the session",
    createTime: { seconds: 1n, nanos: 5_000_000 },
    kind,
  });
const flatEvent = (event: TurnEvent) => new FlatEvents().ofTransient(event).json;
const flat = (kind: Kind) => JSON.parse(flatEvent(event(kind))) as Record<string, unknown>;

const COMMON = {
  sequence: 7,
  turn_id: "the turn",
  session_id: "the session",
  create_time: "1970-01-01T00:00:01.005Z",
};

describe("an event in flat JSON", () => {
  it("has what every event has, and the fields of its kind", () => {
    expect(flat({ case: "text", value: { text: "a ☃\n", messageId: "m" } })).toEqual({
      kind: "text",
      ...COMMON,
      text: "a ☃\n",
      message_id: "m",
      parent_tool_id: "",
      truncated: false,
      total_bytes: 0,
    });
  });

  it("has times in milliseconds, enums as they are spoken of, and numbers as numbers", () => {
    const usage = { inputTokens: 2n ** 63n, outputTokens: 1n };
    const duration = { seconds: 61n, nanos: 500_000_000 };
    const result = event({ case: "result", value: { duration, usage, apiErrorStatus: 529 } });
    expect(flatEvent(result)).toContain('"usage":{"input_tokens":9223372036854775808,');
    expect(JSON.parse(flatEvent(result))).toMatchObject({
      kind: "result",
      is_error: false,
      result: "",
      duration_ms: 61_500,
      api_error_status: 529,
      permission_denials: [],
    });
    const reason = NoticeReason.API_RETRY;
    expect(flat({ case: "notice", value: { reason } })).toMatchObject({ reason: "API_RETRY" });
  });

  it("leaves out what is not known", () => {
    const members = Object.keys(flat({ case: "result", value: {} }));
    const unknown = ["duration_ms", "usage", "api_error_status", "structured_output"];
    expect(members.filter((name) => unknown.includes(name))).toEqual([]);
    expect(flat({ case: "tool", value: { name: "Bash", truncated: true } })).not.toHaveProperty(
      "input",
    );
  });

  it("says an error's message as `error`, as the predecessor did", () => {
    const value = { reason: ErrorReason.AGENT_EXITED, message: "it ended", exitCode: 0 };
    expect(flat({ case: "error", value })).toMatchObject({
      kind: "error",
      error: "it ended",
      message: "it ended",
      reason: "AGENT_EXITED",
      exit_code: 0,
    });
  });

  it("has the place that a checkpoint tells of", () => {
    const value = { sequence: 3, state: TurnState.RUNNING, caughtUp: true };
    expect(flatEvent(event({ case: "checkpoint", value })).match(/"sequence"/g)).toHaveLength(1);
    expect(flat({ case: "checkpoint", value })).toMatchObject({ sequence: 3, state: "RUNNING" });
  });

  it.each([
    '{"big":123456789012345678901234567890,"e":1.0e5,"zero":-0,"long":0.10}',
    '{"same":1,"same":2}',
    '{"\\ud800":"\\u2028"}',
    `{"deep":${"[".repeat(2000)}${"]".repeat(2000)}}`,
  ])("has the input of a tool as JSON, digit for digit: %.40s", (inputJson) => {
    const text = flatEvent(event({ case: "tool", value: { name: "Bash", inputJson } }));
    expect(text).toContain(`"name":"Bash","input":${inputJson},`);
  });

  it("stays on one line whatever space the input has", () => {
    const inputJson = '{\r\n\t"a"\r:\n1}';
    const text = flatEvent(event({ case: "tool", value: { inputJson } }));
    expect(text).not.toMatch(/[\r\n]/);
    expect(JSON.parse(text)).toMatchObject({ input: { a: 1 } });
  });

  it.each(["{", '1,"kind":"error"', "1}{", "nul", '"a\nb"'])(
    "has what is no JSON as a text: %j",
    (inputJson) => {
      expect(flat({ case: "tool", value: { inputJson } })).toMatchObject({
        kind: "tool",
        input: inputJson,
      });
    },
  );

  it("is JSON on one line for every text", () => {
    const text = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(text, text, (content, structuredOutputJson) => {
        for (const kind of [
          { case: "toolResult", value: { content } },
          { case: "result", value: { result: content, structuredOutputJson } },
        ] as const) {
          const line = flatEvent(event(kind));
          expect(line).not.toMatch(/[\r\n]/);
          JSON.parse(line);
        }
      }),
    );
  });

  it("is of a kind that the proto has", () => {
    expect(FLAT_KINDS.map(({ name }) => name)).toEqual(
      TurnEventSchema.oneofs[0]!.fields.map(({ name }) => name),
    );
    expect(flat({ case: undefined })).toEqual({ kind: "unknown", ...COMMON });
  });
});

describe("the bytes of an event", () => {
  const encoded = (of: TurnEvent) => sizeDelimitedEncode(TurnEventSchema, of);
  const whole = encoded(
    event({ case: "toolResult", value: { toolId: "t", content: "a ☃", totalBytes: 300n } }),
  );
  const isRead = (read: (bytes: Uint8Array) => unknown, bytes: Uint8Array) => {
    try {
      read(bytes);
      return true;
    } catch (error) {
      expect(error).toMatchObject({ reason: "DATA_LOSS" });
      return false;
    }
  };
  const flatten = (bytes: Uint8Array) => new FlatEvents().of(bytes);

  it("are refused where they are cut, as they are where they are made a message of", () => {
    const verdicts = Array.from(whole, (_, length) => {
      const cut = whole.subarray(0, length);
      const verdict = isRead(flatten, cut);
      expect([length, verdict]).toEqual([length, isRead(decodeEvent, cut)]);
      return verdict;
    });
    expect(verdicts.filter((verdict) => !verdict).length).toBeGreaterThan(whole.length / 2);
  });

  it("are refused where a text is no UTF-8", () => {
    const bytes = Uint8Array.from(whole);
    bytes[Buffer.from(whole).indexOf("☃")] = 0xff;
    expect(isRead(flatten, bytes)).toBe(false);
    expect(isRead(decodeEvent, bytes)).toBe(false);
  });

  it("are refused where a field goes past the end of what it is in", () => {
    const bytes = encoded(event({ case: "text", value: { text: "hi" } }));
    // `hi`, behind its length and tag, is the end; before it is the length of the event's kind.
    expect(bytes.at(-5)).toBe(4);
    bytes[bytes.length - 5] = 3;
    expect(isRead(flatten, bytes)).toBe(false);
  });

  it("may have fields that are not known", () => {
    const newer = event({ case: "text", value: { text: "hi" } });
    const field = { no: 1000, wireType: WireType.LengthDelimited, data: Buffer.from("\x02hi") };
    newer.$unknown = [field];
    (newer.kind.value as { $unknown?: unknown }).$unknown = [field];
    expect(JSON.parse(flatEvent(newer))).toMatchObject({ kind: "text", ...COMMON, text: "hi" });
    expect(encoded(newer).length).toBeGreaterThan(encoded(event(newer.kind)).length);
  });

  it("are of one stream, and tell of other sessions and times all the same", () => {
    const events = new FlatEvents();
    const [first, second] = ["a", "b"].map((sessionId, n) => {
      const createTime = timestampFromMs(n * 1000);
      return events.of(encoded({ ...event({ case: "text", value: {} }), sessionId, createTime }));
    });
    expect(JSON.parse(first!.json)).toMatchObject({
      session_id: "a",
      create_time: "1970-01-01T00:00:00.000Z",
    });
    expect(JSON.parse(second!.json)).toMatchObject({
      session_id: "b",
      create_time: "1970-01-01T00:00:01.000Z",
    });
  });
});
