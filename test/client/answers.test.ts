import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import type { ConnectionChange } from "#client";
import { streamTurn } from "#client";
import { SequenceGapError } from "../../clients/typescript/src/turn-place.ts";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { checkpoint, response, startServiceDouble, TURN_ID } from "../commands/service-double.ts";
import { connect } from "../support/protocols.ts";
import { AT_ONCE, WAYS } from "./cut-server.ts";

const attach = { turnId: TURN_ID };
const text = (sequence: number) => response({ case: "text", value: {} }, sequence);
const result = (sequence: number) => response({ case: "result", value: {} }, sequence);

function refusal(code: Code, retryMs?: number): ConnectError {
  const retry = {
    desc: RetryInfoSchema,
    value: { retryDelay: durationFromMs(retryMs ?? 0) },
  };
  const info = { desc: ErrorInfoSchema, value: { reason: "WHY", domain: "breakglass" } };
  return new ConnectError("no", code, undefined, retryMs === undefined ? [info] : [info, retry]);
}

/** Reads a turn of a server that answers so many calls with an error before it streams, and counts the calls. */
async function callsUntilOver(
  way: (typeof WAYS)[number],
  refuse: () => ConnectError,
  times = Number.POSITIVE_INFINITY,
) {
  let calls = 0;
  const waits: number[] = [];
  await using service = await startServiceDouble({
    async *attachTurn() {
      if (++calls <= times) throw refuse();
      yield checkpoint();
      yield result(1);
    },
  });
  using connection = way.connect(service.url);
  const onConnection = (change: ConnectionChange) => {
    if (change.state === "lost") waits.push(change.retryInMs);
  };
  const options = { backOff: AT_ONCE, onConnection };
  const outcome = await Array.fromAsync(streamTurn(connection.client, { attach }, options)).then(
    (events) => events.at(-1)?.kind.case,
    (error: unknown) => Code[ConnectError.from(error).code],
  );
  return { calls, outcome, waits };
}

const FINAL = [
  Code.InvalidArgument,
  Code.NotFound,
  Code.PermissionDenied,
  Code.Unauthenticated,
  Code.AlreadyExists,
  Code.FailedPrecondition,
  Code.OutOfRange,
  Code.Unimplemented,
  Code.ResourceExhausted,
  Code.DataLoss,
];
const PASSING = [Code.Unavailable, Code.Aborted, Code.Canceled, Code.DeadlineExceeded];
const DEFECTS = [Code.Internal, Code.Unknown];

// A server in this process speaks HTTP/2 only.
const HTTP2 = WAYS.filter(({ name }) => name.endsWith("HTTP/2"));

describe.each(HTTP2)("an answer over $name", (way) => {
  it.each(FINAL.map((code) => [Code[code], code] as const))(
    "%s is thrown at once",
    async (name, code) => {
      const { calls, outcome } = await callsUntilOver(way, () => refusal(code));
      expect({ calls, outcome }).toEqual({ calls: 1, outcome: name });
    },
  );

  it.each(PASSING.map((code) => [Code[code], code] as const))(
    "%s is tried again until it passes",
    async (_name, code) => {
      const { calls, outcome } = await callsUntilOver(way, () => refusal(code), 12);
      expect({ calls, outcome }).toEqual({ calls: 13, outcome: "result" });
    },
  );

  it.each(DEFECTS.map((code) => [Code[code], code] as const))(
    "%s is tried again five times",
    async (name, code) => {
      const passing = await callsUntilOver(way, () => refusal(code), 5);
      expect(passing).toMatchObject({ calls: 6, outcome: "result" });
      const lasting = await callsUntilOver(way, () => refusal(code));
      expect(lasting).toMatchObject({ calls: 6, outcome: name });
    },
  );

  it("a limit that says when to come back is waited for", async () => {
    const refuse = () => refusal(Code.ResourceExhausted, 30);
    const { calls, outcome, waits } = await callsUntilOver(way, refuse, 2);
    expect({ calls, outcome }).toEqual({ calls: 3, outcome: "result" });
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(30);
  });
});

describe("a server", () => {
  it("that asks for more patience than is left is not waited for", async () => {
    const refuse = () => refusal(Code.Unavailable, 3_600_000);
    const { calls, outcome } = await callsUntilOver(HTTP2[0]!, refuse);
    expect({ calls, outcome }).toEqual({ calls: 1, outcome: "Unavailable" });
  });

  it("that leaves an event out is asked again, and what is missing is then delivered", async () => {
    const asked: number[] = [];
    await using service = await startServiceDouble({
      async *attachTurn({ afterSequence }) {
        asked.push(afterSequence);
        yield checkpoint(TurnState.RUNNING, afterSequence);
        if (asked.length > 1) yield text(2);
        else yield text(1);
        yield result(3);
      },
    });
    using connection = connect(service.url);
    const events = await Array.fromAsync(
      streamTurn(connection.client, { attach }, { backOff: AT_ONCE }),
    );
    expect(events.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3]);
    expect(asked).toEqual([0, 1]);
  });

  it("that leaves the same event out again is not read over the gap", async () => {
    let calls = 0;
    await using service = await startServiceDouble({
      async *attachTurn() {
        calls++;
        yield checkpoint(TurnState.RUNNING, 0);
        yield text(2);
      },
    });
    using connection = connect(service.url);
    const seen: number[] = [];
    const read = async () => {
      const stream = streamTurn(connection.client, { attach }, { backOff: AT_ONCE });
      for await (const { sequence } of stream) seen.push(sequence);
    };
    await expect(read()).rejects.toThrow(SequenceGapError);
    expect(seen).toEqual([0]);
    expect(calls).toBe(2);
  });

  it("that says of a running turn that it ended is read to the terminal event", async () => {
    await using service = await startServiceDouble({
      async *attachTurn() {
        yield checkpoint(TurnState.SUCCEEDED);
        yield text(1);
        yield result(2);
      },
    });
    using connection = connect(service.url);
    const events = await Array.fromAsync(streamTurn(connection.client, { attach }));
    expect(events.map(({ sequence }) => sequence)).toEqual([0, 1, 2]);
  });

  it("that sends the terminal event and then fails has still ended the turn", async () => {
    let calls = 0;
    await using service = await startServiceDouble({
      async *attachTurn() {
        calls++;
        yield checkpoint();
        yield result(1);
        throw new ConnectError("late", Code.Internal);
      },
    });
    using connection = connect(service.url);
    const events = await Array.fromAsync(streamTurn(connection.client, { attach }));
    expect(events.map(({ sequence }) => sequence)).toEqual([0, 1]);
    expect(calls).toBe(1);
  });
});
