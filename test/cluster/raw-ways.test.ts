import { randomUUID } from "node:crypto";
import type { ClientHttp2Session } from "node:http2";
import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  BreakglassService,
  RunTurnRequestSchema,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { connect } from "../support/protocols.ts";
import { compressed, nameOf, openRaw, RAW_WAYS, rawCall } from "../support/raw-calls.ts";
import { startTwoReplicas, type TwoReplicas } from "./two-replicas.ts";

let replicas: TwoReplicas;
let session: ClientHttp2Session;
beforeAll(async () => {
  replicas = await startTwoReplicas();
  session = openRaw(replicas.first.url);
});
afterAll(async () => {
  session.close();
  await replicas[Symbol.asyncDispose]();
});

/** Of a thread's size: it takes the memory of what it reads. */
const LARGE = 300_000;

describe.each(RAW_WAYS.map((way) => [nameOf(way), way] as const))("over %s", (_name, way) => {
  it.each([10, LARGE])("a prompt of %i bytes reaches the home as it was", async (bytes) => {
    const sessionId = randomUUID();
    const prompt = `say ${"x".repeat(bytes)}`;
    const message = create(RunTurnRequestSchema, { sessionId, prompt });
    const written = way.isJson
      ? Buffer.from(toJsonString(RunTurnRequestSchema, message))
      : toBinary(RunTurnRequestSchema, message);
    const { runTurn } = BreakglassService.method;
    const answer = await rawCall(session, runTurn, way, compressed(written, way));
    expect(answer).toMatchObject({ code: "OK" });
    using home = connect(replicas.home.url);
    const { turns } = await home.client.listTurns({ sessionId });
    const { turn } = await home.client.getTurn({ turnId: turns[0]!.turnId });
    expect(turn?.prompt === prompt).toBe(true);
  });
});

describe("what is refused where it comes in", () => {
  it.each([
    ["another encoding", { "grpc-encoding": "zstd" }, "Unimplemented"],
    ["another media type", { "content-type": "application/grpc+xml" }, "HTTP 415"],
  ])("is told so: %s", async (_what, headers, code) => {
    const way = RAW_WAYS[0]!;
    const { cancelTurn } = BreakglassService.method;
    const answer = await rawCall(session, cancelTurn, way, Buffer.of(1), { headers });
    expect(answer.code).toBe(code);
  });

  it("is told so: what cannot be read", async () => {
    const { cancelTurn } = BreakglassService.method;
    const answer = await rawCall(session, cancelTurn, RAW_WAYS[0]!, Buffer.of(255));
    expect(answer).toMatchObject({ code: "InvalidArgument" });
  });
});
