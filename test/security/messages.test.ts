import { writeFile } from "node:fs/promises";
import type { ClientHttp2Session } from "node:http2";
import { join } from "node:path";
import { create, type DescMethod, toBinary, toJsonString } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  BreakglassService,
  RunTurnRequestSchema,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { longestHold, recordingHolds } from "../support/loop-holds.ts";
import { BINARY_SHAPES, JSON_SHAPES, type MessageShape } from "../support/message-shapes.ts";
import {
  compressed,
  nameOf,
  openRaw,
  RAW_WAYS,
  type RawAnswer,
  type RawWay,
  rawCall,
} from "../support/raw-calls.ts";
import { type ServeProcess, startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment, type TestEnvironment } from "../support/test-environment.ts";
import { tokenLine } from "../support/test-server.ts";

const MIB = 1024 * 1024;
/** Ten times what is promised: the attacks took 10,000 ms and more. */
const MAX_HOLD_MS = 500;
const { runTurn, getSession, resolveApproval } = BreakglassService.method;

let environment: TestEnvironment;
let server: ServeProcess;
let session: ClientHttp2Session;
let holds: string;
beforeAll(async () => {
  environment = await createTestEnvironment();
  holds = join(environment.root, "holds");
  const tokensFile = join(environment.root, "tokens");
  await writeFile(tokensFile, tokenLine("secret", "ops"), { mode: 0o600 });
  const variables = { ...environment.variables, BREAKGLASS_TOKENS_FILE: tokensFile };
  server = await startServeProcess({ ...variables, ...recordingHolds(holds) });
  session = openRaw(server.url);
  await longestHold(server.pid, holds);
});
afterAll(async () => {
  session.destroy();
  await server[Symbol.asyncDispose]();
  await environment[Symbol.asyncDispose]();
});

/** Calls with a message that is compressed already, and sees that nobody waited for it. */
async function send(
  method: DescMethod,
  way: RawWay,
  message: Uint8Array,
  authorization = "Bearer secret",
): Promise<RawAnswer> {
  const headers = { authorization };
  const answer = await rawCall(session, method, way, message, { headers });
  expect((await longestHold(server.pid, holds)).cpuMs).toBeLessThan(MAX_HOLD_MS);
  // It goes into a header.
  expect(answer.message.length).toBeLessThan(4000);
  return answer;
}

const call = (method: DescMethod, way: RawWay, message: Uint8Array) =>
  send(method, way, compressed(message, way));

const made = new Map<string, Uint8Array>();

/** A message of a shape, compressed. It is the same however it is sent, and takes longer to make than to refuse. */
function shaped({ name, make }: MessageShape, { input }: DescMethod, way: RawWay, bytes: number) {
  const key = [name, way.isJson, input.typeName, bytes].join();
  const message = made.get(key) ?? compressed(make(input, bytes), way);
  made.set(key, message);
  return message;
}

const GZIPPED = RAW_WAYS.filter(({ encoding }) => encoding === "gzip");
/** Just below the limit, where all of a message is looked at. */
const mostOf = ({ isJson }: RawWay) => Math.floor(isJson ? 23 * MIB : 10.9 * MIB);
/** All of them by one protocol; what is the same in the others needs one that shows it. */
const shapesOf = ({ protocol, isJson }: RawWay) =>
  (isJson ? JSON_SHAPES : BINARY_SHAPES).slice(0, protocol === "grpc" ? undefined : 1);

describe.each(GZIPPED.map((way) => [nameOf(way), way] as const))("over %s", (_name, way) => {
  const shapes = shapesOf(way);
  it.each(shapes.map((shape) => [shape.name, shape] as const))(
    "nobody waits for a message of %s",
    async (_name, shape) => {
      const large = shaped(shape, runTurn, way, mostOf(way));
      for (const [method, message] of [
        [runTurn, large],
        // Far larger than what it takes.
        [getSession, large],
        [getSession, shaped(shape, getSession, way, 15 * 1024)],
      ] as const) {
        const { code } = await send(method, way, message);
        expect(["InvalidArgument", "ResourceExhausted"]).toContain(code);
      }
    },
  );

  it("nobody waits for the largest prompt and attachments that there may be, which are run", async () => {
    const prompt = `say hello\n${"é".repeat(MIB - 10)}`;
    const attachments = [
      { name: "a", mediaType: "text/plain", data: new Uint8Array(4 * MIB) },
      { name: "b", mediaType: "text/plain", data: new Uint8Array(4 * MIB).fill(7) },
    ];
    const request = create(RunTurnRequestSchema, { prompt, attachments });
    const message = way.isJson
      ? Buffer.from(toJsonString(RunTurnRequestSchema, request))
      : toBinary(RunTurnRequestSchema, request);
    expect((await call(runTurn, way, message)).code).toBe("OK");
  });

  it("nobody waits for a stranger, of whom nothing is read", async () => {
    for (const shape of shapes) {
      const message = shaped(shape, runTurn, way, mostOf(way));
      expect((await send(runTurn, way, message, "Bearer wrong")).code).toBe("Unauthenticated");
    }
  });
});

describe("nobody waits for", () => {
  const [way] = GZIPPED.filter(({ protocol, isJson }) => protocol === "grpc" && isJson);
  const ids = `"turnId":"${crypto.randomUUID()}","approvalId":"${crypto.randomUUID()}"`;
  const allow = (input: string) =>
    Buffer.from(`{${ids},"allow":{"inputJson":${JSON.stringify(input)}}}`);
  const members = Array.from({ length: 80_000 }, (_, index) => `"${index.toString(36)}":0`);

  it.each([
    ["objects of many keys", `{${members.join()}}`, "NotFound"],
    ["many objects", `{"a":[${"{},".repeat(300_000)}{}]}`, "NotFound"],
    ["deep lists", `{"a":${"[".repeat(500_000)}${"]".repeat(500_000)}}`, "NotFound"],
    ["lists without end", `{"a":${"[".repeat(1_000_000)}`, "InvalidArgument"],
  ])("the input of an approval with %s", async (_what, input, code) => {
    expect((await call(resolveApproval, way!, allow(input))).code).toBe(code);
  });

  it("names of files that a million accents are put on, nor for an answer that names them all", async () => {
    const accents = "\u0301\u0316".repeat(250_000);
    const attachments = Array.from({ length: 20 }, (_, index) => ({
      name: index < 2 ? `a${accents}` : "../..",
      mediaType: "image/none",
    }));
    const request = create(RunTurnRequestSchema, { prompt: "x", attachments });
    const binary = RAW_WAYS.find(({ protocol }) => protocol === "grpc")!;
    const answer = await call(runTurn, binary, toBinary(RunTurnRequestSchema, request));
    expect(answer.code).toBe("InvalidArgument");
    expect(answer.message.split("; ")).toHaveLength(20);
  });
});
