import { randomUUID } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { type ServiceError, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  BreakglassService,
  RunTurnResponseSchema,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { cases, durable } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { detailsOf, GrpcJsClient } from "../support/grpc-js.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const { runTurn, attachTurn, getTurn } = BreakglassService.method;

describe("gRPC's own client", () => {
  let server: TestServer;
  let client: GrpcJsClient;
  beforeAll(async () => {
    server = await startTestServer();
    client = new GrpcJsClient(server.url);
  });
  afterAll(async () => {
    client[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });

  it("reads a turn, and attaching gives the very same bytes", async () => {
    const run = await client.readStream(runTurn, { prompt: script("bash echo hi", "say hello") });
    const events = eventsOf(run);
    expect(cases(durable(events))).toEqual(["session", "tool", "toolResult", "text", "result"]);
    const { turnId } = events[0]!;
    for (const afterSequence of [0, 2]) {
      const again = await client.readStream(attachTurn, { turnId, afterSequence });
      expect(durableBytes(again)).toEqual(durableBytes(run).slice(afterSequence));
    }
    const { turn } = await client.call(getTurn, { turnId });
    expect(turn).toMatchObject({ turnId, state: TurnState.SUCCEEDED, lastSequence: 5 });
  });

  it("takes an event of the largest size with its own limit of 4 MiB", async () => {
    const run = await client.readStream(runTurn, { prompt: script(`big ${8 * 1024 * 1024}`) });
    expect(Math.max(...run.map((bytes) => bytes.length))).toBeGreaterThan(2 * 1024 * 1024);
    expect(Math.max(...run.map((bytes) => bytes.length))).toBeLessThanOrEqual(3 * 1024 * 1024);
  });

  it("gets a refusal's details in grpc-status-details-bin", async () => {
    const bad = await refused(client.readStream(runTurn, { prompt: "", model: "-x" }));
    expect(bad.code).toBe(status.INVALID_ARGUMENT);
    expect(detailsOf(bad, ErrorInfoSchema)).toMatchObject([
      { reason: "INVALID_ARGUMENT", domain: "breakglass" },
    ]);
    expect(detailsOf(bad, BadRequestSchema)[0]?.fieldViolations.map(({ field }) => field)).toEqual([
      "prompt",
      "model",
    ]);

    const unknown = await refused(client.call(getTurn, { turnId: randomUUID() }));
    expect(unknown.code).toBe(status.NOT_FOUND);
    expect(detailsOf(unknown, ErrorInfoSchema)).toMatchObject([{ reason: "NOT_FOUND" }]);
  });
});

function eventsOf(messages: readonly Buffer[]) {
  return messages.map((bytes) => fromBinary(RunTurnResponseSchema, bytes).event!);
}

function durableBytes(messages: readonly Buffer[]): string[] {
  return messages
    .filter((bytes) => fromBinary(RunTurnResponseSchema, bytes).event!.sequence > 0)
    .map((bytes) => bytes.toString("base64"));
}

async function refused(call: Promise<unknown>): Promise<ServiceError> {
  return call.then(
    () => Promise.reject(new Error("the call was not refused")),
    (error: ServiceError) => error,
  );
}
