import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { equals } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { ErrorReason, TurnEventSchema, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { durableKinds, eventsOf, valuesOf } from "../support/event-views.ts";
import { refusalOf } from "../support/seen-refusal.ts";
import { startTestServer, tokenLine } from "../support/stub-server.ts";
import { TRANSPORTS } from "./transports.ts";

describe.each(TRANSPORTS)("the contract over %s", (_name, open) => {
  const connect = (url: string, headers?: HeadersInit) =>
    createClient(BreakglassService, open(url, headers));

  it("streams a turn from its checkpoint to its terminal event", async () => {
    await using server = await startTestServer({ STUB_MODE: "say" });
    const events = await eventsOf(connect(server.url).runTurn({ prompt: "go" }));
    expect(events[0]).toMatchObject({ sequence: 0, kind: { case: "checkpoint" } });
    expect(events[0]!.turnId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(durableKinds(events)).toEqual(["session", "text", "result"]);
    expect(events.flatMap(({ sequence }) => sequence || [])).toEqual([1, 2, 3]);
    expect(events.at(-1)!.kind.case).toBe("result");
    expect(new Set(events.map(({ turnId, sessionId }) => turnId + sessionId)).size).toBe(1);
  });

  it("gives a reader who comes back exactly what it lacks, and the same again", async () => {
    await using server = await startTestServer({ STUB_MODE: "say" });
    const client = connect(server.url);
    const all = await eventsOf(client.runTurn({ prompt: "go" }));
    const { turnId } = all[0]!;
    for (const afterSequence of [0, 1, 2]) {
      const rest = await eventsOf(client.attachTurn({ turnId, afterSequence }));
      const expected = all.filter(({ sequence }) => sequence > afterSequence);
      const durable = rest.filter(({ sequence }) => sequence > 0);
      expect(durable.length).toBe(expected.length);
      expect(durable.every((event, i) => equals(TurnEventSchema, event, expected[i]!))).toBe(true);
    }
    const nothing = await eventsOf(client.attachTurn({ turnId, afterSequence: 3 }));
    expect(nothing.map(({ kind }) => kind.case)).toEqual(["checkpoint"]);
    expect(valuesOf(nothing, "checkpoint")[0]).toMatchObject({
      sequence: 3,
      state: TurnState.SUCCEEDED,
    });
  });

  it("refuses with a code, a reason and the fields to mend", async () => {
    await using server = await startTestServer({ STUB_MODE: "say" });
    const client = connect(server.url);
    const run = await eventsOf(client.runTurn({ prompt: "go" }));
    const { turnId, sessionId } = run[0]!;
    const bad = {
      sessionId: "../x",
      prompt: "",
      model: "--mcp-config=x",
      agent: "a b",
      requestId: "1",
      timeout: { seconds: 0n, nanos: 0 },
    };
    expect(await refusalOf(eventsOf(client.runTurn(bad)))).toMatchObject({
      code: Code.InvalidArgument,
      reason: "INVALID_ARGUMENT",
      domain: "breakglass",
      fields: ["session_id", "prompt", "model", "agent", "request_id", "timeout"],
    });
    expect(await refusalOf(client.getTurn({ turnId: "x" }))).toMatchObject({ fields: ["turn_id"] });
    expect(await refusalOf(client.listTurns({ sessionId, pageToken: "nonsense" }))).toMatchObject({
      code: Code.InvalidArgument,
      fields: ["page_token"],
    });
    for (const call of [
      () => client.getTurn({ turnId: randomUUID() }),
      () => client.getSession({ sessionId: randomUUID() }),
    ]) {
      expect(await refusalOf(call())).toMatchObject({ code: Code.NotFound, reason: "NOT_FOUND" });
    }
    expect(
      await refusalOf(eventsOf(client.attachTurn({ turnId, afterSequence: 9 }))),
    ).toMatchObject({
      code: Code.OutOfRange,
      metadata: { last_sequence: "3" },
    });
    const { turns } = await client.listTurns({ sessionId });
    expect(turns.map((turn) => turn.turnId)).toEqual([turnId]);
  });

  it("runs one turn at a time in a session, and cancels it for good", async () => {
    await using server = await startTestServer({
      STUB_MODE: "hang",
      BREAKGLASS_MAX_CONCURRENT_TURNS: "1",
    });
    const client = connect(server.url);
    const stream = client.runTurn({ prompt: "go" })[Symbol.asyncIterator]();
    const { turnId, sessionId } = (await stream.next()).value!.event!;
    expect(await refusalOf(eventsOf(client.runTurn({ prompt: "elsewhere" })))).toMatchObject({
      code: Code.ResourceExhausted,
      reason: "TOO_MANY_TURNS",
      retry: true,
    });
    expect(await refusalOf(client.deleteSession({ sessionId }))).toMatchObject({
      code: Code.FailedPrecondition,
      reason: "TURN_IN_PROGRESS",
      metadata: { turn_id: turnId },
    });
    const [first, second] = await Promise.all([
      client.cancelTurn({ turnId }),
      client.cancelTurn({ turnId }),
    ]);
    expect(first.turn).toMatchObject({
      state: TurnState.CANCELED,
      errorReason: ErrorReason.CANCELED,
    });
    expect(second.turn).toEqual(first.turn);
    const rest = await eventsOf({ [Symbol.asyncIterator]: () => stream });
    expect(rest.at(-1)!.kind).toMatchObject({
      case: "error",
      value: { reason: ErrorReason.CANCELED },
    });
    expect((await client.cancelTurn({ turnId })).turn).toEqual(first.turn);
  });

  it("knows callers by their tokens, and shows each only what is theirs", async () => {
    const folder = await mkdtemp(join(tmpdir(), "breakglass-tokens-"));
    const tokens = join(folder, "tokens");
    await writeFile(tokens, tokenLine("alpha", "alice") + tokenLine("beta", "bob"));
    await using server = await startTestServer({ BREAKGLASS_TOKENS_FILE: tokens });
    const alice = connect(server.url, { authorization: "Bearer alpha" });
    const bob = connect(server.url, { authorization: "Bearer beta" });
    const [event] = await eventsOf(alice.runTurn({ prompt: "go" }));
    const { turnId, sessionId } = event!;
    expect((await alice.getTurn({ turnId })).turn!.principal).toBe("alice");
    for (const call of [
      () => bob.getTurn({ turnId }),
      () => bob.getSession({ sessionId }),
      () => bob.cancelTurn({ turnId }),
      () => bob.listTurns({ sessionId }),
      () => bob.deleteSession({ sessionId }),
      () => eventsOf(bob.attachTurn({ turnId })),
      () => eventsOf(bob.runTurn({ sessionId, prompt: "mine now" })),
    ]) {
      expect(await refusalOf(call())).toMatchObject({ code: Code.NotFound, reason: "NOT_FOUND" });
    }
    expect((await bob.listSessions({})).sessions).toEqual([]);
    for (const headers of [
      {},
      { authorization: "Bearer gamma" },
      { authorization: "Basic alpha" },
    ]) {
      const stranger = connect(server.url, headers);
      for (const call of [
        () => stranger.listSessions({}),
        () => eventsOf(stranger.runTurn({ prompt: "go" })),
      ]) {
        expect(await refusalOf(call())).toMatchObject({
          code: Code.Unauthenticated,
          reason: "UNAUTHENTICATED",
        });
      }
    }
    await rm(folder, { recursive: true });
  });

  it("refuses pages and names that are not on the list", async () => {
    await using server = await startTestServer();
    const page = connect(server.url, { origin: "https://elsewhere.example" });
    for (const call of [
      () => page.listSessions({}),
      () => eventsOf(page.runTurn({ prompt: "go" })),
    ]) {
      expect(await refusalOf(call())).toMatchObject({
        code: Code.PermissionDenied,
        reason: "ORIGIN_NOT_ALLOWED",
      });
    }
    expect((await connect(server.url).listSessions({})).sessions).toEqual([]);
  });

  it("refuses a message above the transport's limit, and one above the prompt's", async () => {
    await using server = await startTestServer({ BREAKGLASS_MAX_PROMPT_BYTES: "1000" });
    const client = connect(server.url);
    expect(await refusalOf(eventsOf(client.runTurn({ prompt: "x".repeat(1001) })))).toMatchObject({
      code: Code.InvalidArgument,
      fields: ["prompt"],
    });
    const refusal = await refusalOf(
      eventsOf(client.runTurn({ prompt: "x".repeat(2 * 1024 * 1024) })),
    );
    expect(refusal).toMatchObject({ code: Code.ResourceExhausted, reason: undefined });
  });
});
