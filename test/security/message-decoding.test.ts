import { setTimeout as delay } from "node:timers/promises";
import { create, type DescMethod, toBinary, toJsonString } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { compressed, enveloped, nameOf, RAW_WAYS, type RawWay } from "../support/raw-calls.ts";
import { useRawServer } from "./raw-server.ts";

const { getTurn, runTurn, listTurns, attachTurn, steerTurn } = BreakglassService.method;
const TURN = "00000000-0000-4000-8000-000000000000";

const server = useRawServer();
const { call, send } = server;

const bytes = (...all: (number | string)[]) =>
  Buffer.concat(all.map((part) => Buffer.from(typeof part === "string" ? part : [part])));
const LONE_BYTES = bytes(0xc3, 0x28);

/** What is no message, and what its refusal says. */
const BINARY: readonly (readonly [string, DescMethod, Buffer, RegExp])[] = [
  ["bad UTF-8", getTurn, bytes(0x0a, 2, 0xc3, 0x28), /^turn_id must be UTF-8$/],
  [
    "bad UTF-8 far in",
    runTurn,
    bytes(0x12, 1, "x", 0x4a, 4, 0x0a, 2, 0xff, 0xfe),
    /^attachments\[0\]\.name must be UTF-8$/,
  ],
  ["an end within a field", getTurn, bytes(0x0a, 36, "0"), /ends in the middle of a field/],
  ["an end within a number", listTurns, bytes(0x10, 0x80), /ends in the middle of a field/],
  ["a string as a number", getTurn, bytes(0x08, 1), /turn_id has the wrong type/],
  ["a number as a string", listTurns, bytes(0x12, 1, "1"), /page_size has the wrong type/],
  ["a message as a number", runTurn, bytes(0x48, 1), /attachments\[0\] has the wrong type/],
  ["a type that does not exist", getTurn, bytes(0x7f), /type that does not exist/],
  ["a field of number 0", getTurn, bytes(0x00, 1), /number 0/],
  ["a group that does not end", getTurn, bytes(0x7b), /ends in the middle/],
  ["a group that did not begin", getTurn, bytes(0x7c), /type that does not exist/],
  ["a group that ends another", getTurn, bytes(0x7b, 0x74), /did not begin/],
  ["a number without end", getTurn, Buffer.alloc(20, 0x80), /too long/],
  [
    "a length past the end",
    getTurn,
    bytes(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f),
    /ends in the middle/,
  ],
  ["groups in groups", getTurn, Buffer.alloc(4000, 0x7b), /32 levels deep/],
];

const JSON_TEXTS: readonly (readonly [string, DescMethod, string | Buffer, RegExp])[] = [
  ["bad UTF-8", getTurn, Buffer.concat([bytes('{"turnId":"'), LONE_BYTES, bytes('"}')]), /utf-8/],
  ["nothing", getTurn, "", /cannot be read/],
  ["no JSON", getTurn, "{", /cannot be read/],
  ["a list", getTurn, "[]", /cannot be read/],
  ["a key twice", getTurn, `{"turnId":"${TURN}","turnId":"${TURN}"}`, /duplicate/],
  ["a field by both names", getTurn, `{"turnId":"${TURN}","turn_id":"${TURN}"}`, /multiple times/],
  ["a number as a string", getTurn, '{"turnId":1}', /cannot be read/],
  ["NaN", listTurns, '{"pageSize":"NaN"}', /cannot be read/],
  ["half a number", listTurns, '{"pageSize":0.5}', /cannot be read/],
  ["a number out of range", listTurns, '{"pageSize":2147483648}', /cannot be read/],
  ["a negative sequence", attachTurn, '{"afterSequence":-1}', /cannot be read/],
  ["a timeout that is none", runTurn, '{"prompt":"x","timeout":"1h"}', /cannot be read/],
  ["a timeout too exact", runTurn, '{"prompt":"x","timeout":"1.0123456789s"}', /cannot be read/],
  [
    "a timeout without end",
    runTurn,
    `{"prompt":"x","timeout":"${"1".repeat(400)}s"}`,
    /cannot be read/,
  ],
  ["no base64", runTurn, '{"prompt":"x","attachments":[{"data":"*"}]}', /cannot be read/],
  ["null in a list", runTurn, '{"prompt":"x","attachments":[null]}', /cannot be read/],
  ["lists in lists", getTurn, "[".repeat(4000), /32 levels deep/],
];

describe.each(RAW_WAYS.map((way) => [nameOf(way), way] as const))("over %s", (_name, way) => {
  it("what cannot be read is told so, and is nobody's fault but the caller's", async () => {
    const cases = way.isJson ? JSON_TEXTS : BINARY;
    for (const [what, method, message, words] of cases) {
      const answer = await call(method, way, Buffer.from(message));
      expect({ what, ...answer }).toEqual({
        what,
        code: "InvalidArgument",
        message: expect.stringMatching(words),
        hasDetails: true,
      });
      expect(answer.message.length).toBeLessThan(300);
    }
  });

  it("what is refused is told in few words, however long it was", async () => {
    const long = "x".repeat(15_000);
    const message = way.isJson
      ? Buffer.from(`{"sessionId":"${TURN}","pageSize":"${long}"}`)
      : bytes(0x0a, 0x80, 0x01, long.slice(0, 128), 0x1a, 0x80, 0x40, long.slice(0, 8192));
    const answer = await call(listTurns, way, message);
    expect(answer.code).toBe("InvalidArgument");
    expect(answer.message.length).toBeLessThan(300);
  });

  if (way.encoding !== "identity") {
    it("what cannot be decompressed is told so", async () => {
      const message = Buffer.from(way.isJson ? `{"turnId":"${TURN}"}` : bytes(0x0a, 36, TURN));
      const whole = Buffer.from(compressed(message, way));
      for (const wrong of [whole.subarray(0, -5), Buffer.from("no such thing")]) {
        for (const method of [getTurn, runTurn, steerTurn]) {
          const answer = await send(method, way, wrong);
          expect(answer).toMatchObject({
            code: "InvalidArgument",
            message: `the message cannot be decompressed as ${way.encoding}`,
          });
        }
      }
      expect((await send(getTurn, way, whole)).code).toBe("NotFound");
    });
  }

  it("attachments of any size are taken", async () => {
    for (const size of [1, 5000, 100_000]) {
      const file = { mediaType: "text/plain", data: Buffer.alloc(size, "x") };
      const attachments = ["a.txt", "b.txt"].map((name) => ({ name, ...file }));
      const message = create(runTurn.input, { prompt: "received", attachments });
      const written = way.isJson
        ? Buffer.from(toJsonString(runTurn.input, message))
        : toBinary(runTurn.input, message);
      expect({ size, ...(await call(runTurn, way, written)) }).toMatchObject({ size, code: "OK" });
    }
  });

  it("a message comes whole from pieces of any size", async () => {
    const plain = Buffer.from(way.isJson ? `{"turnId":"${TURN}"}` : bytes(0x0a, 36, TURN));
    const message = compressed(plain, way);
    const isUnary = way.protocol === "connect";
    const body = isUnary ? message : enveloped(message, way.encoding === "identity" ? 0 : 1);
    const answers = [1, 3, 7].map((size) => callInPieces(way, body, size));
    for (const answer of await Promise.all(answers)) expect(answer.code).toBe("NotFound");
  });
});

/** Each piece in a frame of its own, once the one before has been sent. */
async function callInPieces(way: RawWay, body: Uint8Array, size: number) {
  const stalled = send(getTurn, way, Buffer.alloc(0), {
    body: async (stream) => {
      for (let at = 0; at < body.length; at += size) {
        stream.write(body.subarray(at, at + size));
        await delay(1);
      }
      stream.end();
    },
  });
  return stalled;
}

const ENVELOPED = RAW_WAYS.filter((way) => way.protocol !== "connect" && way.encoding === "gzip");
const STREAMED = RAW_WAYS.filter((way) => way.protocol === "connect" && way.encoding === "gzip");

describe.each([...ENVELOPED, ...STREAMED].map((way) => [nameOf(way), way] as const))(
  "the envelope of a message over %s",
  (_name, way) => {
    const method = way.protocol === "connect" ? attachTurn : getTurn;
    const message = way.isJson
      ? Buffer.from(`{"turnId":"${TURN}"}`)
      : toBinary(method.input, create(method.input, { turnId: TURN }));
    const whole = enveloped(message, 0);
    const answerTo = (body: Uint8Array, headers = {}) =>
      send(method, way, message, { body, headers });

    it("is taken also where it says that it is not compressed", async () => {
      expect((await answerTo(whole)).code).toBe("NotFound");
    });

    it.each([
      ["one that is cut", () => whole.subarray(0, -1), "InvalidArgument"],
      ["half a header", () => whole.subarray(0, 3), "InvalidArgument"],
      ["none", () => Buffer.alloc(0), "Unimplemented"],
      ["two", () => Buffer.concat([whole, whole]), "Unimplemented"],
      ["one and a half", () => Buffer.concat([whole, Buffer.alloc(2)]), "Unimplemented"],
      ["other flags", () => enveloped(message, 2), "InvalidArgument"],
      ["every flag", () => enveloped(message, 255), "InvalidArgument"],
    ])("is refused: %s", async (_what, body, code) => {
      expect((await answerTo(body())).code).toBe(code);
    });

    it("is refused where it is compressed and nothing says how", async () => {
      const encoding = way.protocol === "connect" ? "connect-content-encoding" : "grpc-encoding";
      const answer = await answerTo(enveloped(message, 1), { [encoding]: "identity" });
      expect(answer).toMatchObject({
        code: "Internal",
        message: expect.stringContaining(encoding),
      });
      const unknown = await answerTo(whole, { [encoding]: "zstd" });
      expect(unknown.code).toBe("Unimplemented");
    });
  },
);
