import { writeFile } from "node:fs/promises";
import type { ClientHttp2Session } from "node:http2";
import { join } from "node:path";
import { create, type DescMethod, toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  BreakglassService,
  RunTurnRequestSchema,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { messageLimitsOf } from "../../src/rpc/message-limits.ts";
import { longestHold, recordingHolds } from "../support/loop-holds.ts";
import { BINARY_SHAPES, JSON_SHAPES, type MessageShape } from "../support/message-shapes.ts";
import {
  compressed,
  nameOf,
  openRaw,
  RAW_WAYS,
  type RawWay,
  rawCall,
} from "../support/raw-calls.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { SCRIPTED_AGENT } from "../support/test-environment.ts";
import { tokenLine } from "../support/test-server.ts";
import { startFaultServer } from "./fault-server.ts";
import { createGround } from "./ground.ts";
import { peakMemoryMb } from "./process-memory.ts";
import type { FaultRow, RowOutcome } from "./row.ts";

/** 4,000 requests at 1,000 trials: each shape some 100 times. */
const REQUESTS_A_TRIAL = 4;
const MOST_FAILURES = 20;
const MAX_HOLD_MS = 50;
/** However slow the machine is. */
const LONGEST_MS = 30 * 60_000;
const MIB = 1024 * 1024;
const LIMITS = { maxPromptBytes: 2 * MIB, maxAttachmentBytes: 8 * MIB };

/** What is meant to be sent, at its largest. */
const LARGEST: MessageShape = {
  name: "the largest prompt and attachments",
  make: () => Buffer.of(),
};

/** What a request may be answered with: never that it was the server's fault. */
const ANSWERS = ["OK", "InvalidArgument", "ResourceExhausted", "NotFound"];

/** Messages of every shape and size for every method, over every protocol, format and encoding, by callers and strangers. */
export const messageShapes: FaultRow = {
  name: "message-shapes",
  fault:
    "messages of 35 shapes and three sizes for every method, over every protocol, format and compression, by callers and strangers",
  bar: `the event loop is held for ${MAX_HOLD_MS} ms at most; each is answered, and none with INTERNAL`,
  run,
};

interface ShapedRequest {
  readonly method: DescMethod;
  readonly way: RawWay;
  readonly shape: MessageShape;
  readonly bytes: number;
  readonly isStranger: boolean;
}

async function run(trials: number): Promise<RowOutcome> {
  await using ground = await createGround({ BREAKGLASS_AGENT_COMMAND: SCRIPTED_AGENT });
  const holds = join(ground.root, "holds");
  const tokensFile = join(ground.root, "tokens");
  await writeFile(tokensFile, tokenLine("secret", "ops"), { mode: 0o600 });
  const settings = { BREAKGLASS_TOKENS_FILE: tokensFile, ...recordingHolds(holds) };
  const variables = { ...ground.variables, ...settings };
  await using server = await startFaultServer({ ...ground, variables });
  const session = openRaw(server.url);
  await longestHold(server.pid, holds);
  const seed = Date.now() % 2 ** 31;
  const random = new SeededRandom(seed);
  const failures: string[] = [];
  const late: string[] = [];
  const longest = new Map<string, number>();
  const deadline = performance.now() + LONGEST_MS;
  let done = 0;
  while (done < trials * REQUESTS_A_TRIAL && performance.now() < deadline) {
    const request = anyRequest(random);
    const what = `request ${done} of seed ${seed}: ${tell(request)}`;
    const fault = await faultOf(session, request);
    if (fault !== undefined) failures.push(`${what}: ${fault}`);
    const { cpuMs } = await longestHold(server.pid, holds);
    if (cpuMs > MAX_HOLD_MS) late.push(`${what}: the loop was held for ${Math.round(cpuMs)} ms`);
    const shape = `${request.way.isJson ? "JSON" : "binary"}, ${request.shape.name}: ms held`;
    longest.set(shape, Math.max(longest.get(shape) ?? 0, cpuMs));
    done++;
    if (failures.length >= MOST_FAILURES) break;
  }
  session.destroy();
  const worst = Math.max(...longest.values());
  const peak = peakMemoryMb(server.pid);
  const figures = { "ms held at most": worst, "MB at most": peak, seed, ...byLongest(longest) };
  return { trials: done, failures, late, figures };
}

function byLongest(longest: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...longest].toSorted(([, one], [, other]) => other - one));
}

function anyRequest(random: SeededRandom): ShapedRequest {
  const way = random.oneOf(RAW_WAYS);
  const shape = random.oneOf([LARGEST, ...(way.isJson ? JSON_SHAPES : BINARY_SHAPES)]);
  const method =
    shape === LARGEST ? BreakglassService.method.runTurn : random.oneOf(BreakglassService.methods);
  const { binaryBytes, jsonBytes } = messageLimitsOf(method, LIMITS);
  const most = way.isJson ? jsonBytes : binaryBytes;
  const bytes = random.oneOf([1024, Math.floor(most * 0.98), most + 64, 13 * MIB]);
  return { method, way, shape, bytes, isStranger: random.below(8) === 0 };
}

function tell({ method, way, shape, bytes, isStranger }: ShapedRequest): string {
  const who = isStranger ? " by a stranger" : "";
  return `${shape.name} of ${bytes} bytes to ${method.name} over ${nameOf(way)}${who}`;
}

/** What was wrong with the answer; undefined: nothing. */
async function faultOf(
  session: ClientHttp2Session,
  { method, way, shape, bytes, isStranger }: ShapedRequest,
): Promise<string | undefined> {
  const message = shape === LARGEST ? largest(way) : shape.make(method.input, bytes);
  const headers = { authorization: `Bearer ${isStranger ? "wrong" : "secret"}` };
  try {
    const answer = await rawCall(session, method, way, compressed(message, way), { headers });
    const { code, message: words } = answer;
    const isExpected = isStranger ? code === "Unauthenticated" : ANSWERS.includes(code);
    if (!isExpected) return `answered with ${code}: ${words}`;
    return words.length > 4000 ? `answered in ${words.length} characters` : undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const runLargest = create(RunTurnRequestSchema, {
  prompt: `say hello\n${"é".repeat(MIB - 10)}`,
  attachments: [4, 4].map((size, index) => ({
    name: `file ${index}`,
    mediaType: "text/plain",
    data: new Uint8Array(size * MIB).fill(index),
  })),
});

function largest({ isJson }: RawWay): Uint8Array {
  return isJson
    ? Buffer.from(toJsonString(RunTurnRequestSchema, runLargest))
    : toBinary(RunTurnRequestSchema, runLargest);
}
