import type { DescMethod } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { messageLimitsOf } from "../../src/rpc/message-limits.ts";
import { enveloped, nameOf, RAW_WAYS } from "../support/raw-calls.ts";
import { useRawServer } from "./raw-server.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const LIMITS = { maxPromptBytes: 2 * MIB, maxAttachmentBytes: 8 * MIB };
const METHODS: readonly DescMethod[] = BreakglassService.methods;
const { runTurn, getSession, steerTurn, resolveApproval, watchTurns } = BreakglassService.method;
const { exportAudit, getServerInfo, getSpending } = BreakglassService.method;
/** Beside lists: an empty message asks for all that there is. `WatchTurns` too, whose answer has no end. */
const ASKS_NOTHING: readonly DescMethod[] = [exportAudit, getServerInfo, getSpending];

/** A twentieth of what a server takes by default: what is a byte too long is that of any limit. */
const SMALLER = { maxPromptBytes: 100 * KIB, maxAttachmentBytes: 400 * KIB };

const server = useRawServer({
  BREAKGLASS_MAX_PROMPT_BYTES: String(SMALLER.maxPromptBytes),
  BREAKGLASS_MAX_ATTACHMENT_BYTES: String(SMALLER.maxAttachmentBytes),
});
const { call, send } = server;

/** A message of exactly so many bytes that says nothing: white space, or a field that nobody knows. */
function empty(isJson: boolean, bytes: number): Buffer {
  if (isJson) return Buffer.from(`{${" ".repeat(bytes - 2)}}`);
  const header = bytes > 2 ** 21 + 5 ? 6 : bytes > 2 ** 14 + 4 ? 5 : 4;
  const message = Buffer.alloc(bytes);
  message.set([0xf2, 0x7f]);
  let rest = bytes - header;
  for (let at = 2; at < header; at++, rest >>= 7) {
    message[at] = (rest & 0x7f) | (at === header - 1 ? 0 : 0x80);
  }
  return message;
}

describe.each(RAW_WAYS.map((way) => [nameOf(way), way] as const))("over %s", (_name, way) => {
  it.each(METHODS.map((method) => [method.name, method] as const))(
    "%s takes a message up to its limit, and none above it",
    async (_method, method) => {
      const { binaryBytes, jsonBytes } = messageLimitsOf(method, SMALLER);
      const most = way.isJson ? jsonBytes : binaryBytes;
      // Only what nobody asks for can be as long as a prompt: it is refused for what it does not say.
      if (method !== watchTurns) {
        const taken = await call(method, way, empty(way.isJson, most));
        const takesNothing = method.name.startsWith("List") || ASKS_NOTHING.includes(method);
        expect(taken.code).toBe(takesNothing ? "OK" : "InvalidArgument");
      }
      const { code, message, hasDetails } = await call(method, way, empty(way.isJson, most + 1));
      expect({ code, message, hasDetails }).toEqual({
        code: "ResourceExhausted",
        message: `the message is larger than the ${most} bytes that this method takes`,
        hasDetails: false,
      });
    },
  );
});

describe("the limits", () => {
  it("are what each method needs", () => {
    const binary = METHODS.map((method) => messageLimitsOf(method, LIMITS).binaryBytes);
    const small = METHODS.filter((_, index) => binary[index] === 16 * KIB);
    expect(small).toHaveLength(METHODS.length - 3);
    expect(messageLimitsOf(runTurn, LIMITS)).toEqual({
      binaryBytes: 11 * MIB,
      jsonBytes: 12 * MIB + Math.ceil((8 * MIB * 4) / 3) + MIB,
      textBytes: 2 * MIB + 16 * KIB,
    });
    expect(messageLimitsOf(steerTurn, LIMITS).binaryBytes).toBe(80 * KIB);
    expect(messageLimitsOf(resolveApproval, LIMITS).jsonBytes).toBe(6 * MIB + 16 * KIB);
  });

  it("are told over HTTP/1.1 too, where the rest of a message is still being sent", async () => {
    const url = `${server.url}/breakglass.v1.BreakglassService/GetSession`;
    const headers = { "content-type": "application/json" };
    for (const body of ["x".repeat(64 * KIB), "x".repeat(4 * MIB)]) {
      const answer = await fetch(url, { method: "POST", headers, body });
      expect(answer.status).toBe(429);
      expect(await answer.json()).toMatchObject({ code: "resource_exhausted" });
    }
  });

  it("leave a page token room, which may be as deep as it is long", async () => {
    const way = RAW_WAYS.find(({ protocol, isJson }) => protocol === "connect" && isJson)!;
    const token = Buffer.from("[".repeat(11_000)).toString("base64url");
    const message = Buffer.from(JSON.stringify({ pageToken: token }));
    const answer = await send(BreakglassService.method.listSessions, way, message);
    expect(answer).toMatchObject({
      code: "InvalidArgument",
      message: "page_token must be empty or the next_page_token of an answer to the same request",
    });
  });

  it("refuse by the length that is announced, before the message has come", async () => {
    const way = RAW_WAYS.find(({ protocol }) => protocol === "grpc")!;
    const body = enveloped(Buffer.alloc(0), 0);
    body.writeUInt32BE(2 ** 32 - 1, 1);
    const answer = await send(getSession, way, Buffer.alloc(0), { body });
    expect(answer.code).toBe("ResourceExhausted");
  });
});

describe.each(RAW_WAYS.map((way) => [nameOf(way), way] as const))(
  "over %s a message",
  (_name, way) => {
    const turnId = "00000000-0000-4000-8000-000000000000";
    const named = Buffer.concat([Buffer.from([0x0a, turnId.length]), Buffer.from(turnId)]);
    const withFields = (count: number) =>
      way.isJson
        ? Buffer.from(
            `{"turnId":"${turnId}"${Array.from({ length: count - 1 }, (_, i) => `,"x${i}":0`).join("")}}`,
          )
        : Buffer.concat([named, Buffer.alloc((count - 1) * 2, Buffer.from([0x78, 0x01]))]);
    const nested = (depth: number) =>
      way.isJson
        ? Buffer.from(`{"turnId":"${turnId}","x":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`)
        : Buffer.concat([
            named,
            Buffer.alloc(depth - 1, Buffer.from([0x7b])),
            Buffer.alloc(depth - 1, Buffer.from([0x7c])),
          ]);
    const { getTurn } = BreakglassService.method;

    it("may have fields of a newer client, which are not kept, but not without end", async () => {
      // In JSON the object counts too.
      const most = way.isJson ? 999 : 1000;
      expect((await call(getTurn, way, withFields(most))).code).toBe("NotFound");
      expect(await call(getTurn, way, withFields(1001))).toEqual({
        code: "InvalidArgument",
        message: "the message must have at most 1000 fields and items",
        hasDetails: true,
      });
    });

    it("may be deep, but not without end", async () => {
      expect((await call(getTurn, way, nested(32))).code).toBe("NotFound");
      expect(await call(getTurn, way, nested(33))).toEqual({
        code: "InvalidArgument",
        message: "the message must be at most 32 levels deep",
        hasDetails: true,
      });
    });
  },
);

it("every field of every request is of a kind whose elements are counted, or of a small message", () => {
  const kinds = new Set<string>();
  const visit = (desc: DescMethod["input"], isSmall: boolean) => {
    for (const field of desc.fields) {
      // A number takes a byte at least.
      const isScalarList = field.fieldKind === "list" && field.message === undefined && !isSmall;
      if (isScalarList || field.fieldKind === "map") kinds.add(String(field));
      if (field.message !== undefined) visit(field.message, isSmall);
    }
  };
  for (const method of METHODS) {
    visit(method.input, messageLimitsOf(method, LIMITS).binaryBytes === 16 * KIB);
  }
  expect([...kinds]).toEqual([]);
});
