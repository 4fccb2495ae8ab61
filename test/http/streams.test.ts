import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TurnEventSchema, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { HttpRequest } from "../../src/edge/http.ts";
import { FlatEvents } from "../../src/http/flat-event.ts";
import { acceptedFormat } from "../../src/http/stream-format.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { ask, linesOf, open, runPlain, sseOf } from "./support.ts";

const formatOf = (accept?: string) =>
  acceptedFormat({ headers: accept === undefined ? {} : { accept } } as HttpRequest);

describe("the format of a stream", () => {
  it.each([
    [undefined, "application/x-ndjson"],
    ["*/*", "application/x-ndjson"],
    ["application/json", "application/x-ndjson"],
    ["application/*", "application/x-ndjson"],
    ["text/event-stream", "text/event-stream"],
    ["text/*", "text/event-stream"],
    ["text/event-stream, */*", "text/event-stream"],
    ["*/*;q=0.1, text/event-stream;q=0.2", "text/event-stream"],
    ["text/event-stream;q=0.5, application/x-ndjson", "application/x-ndjson"],
    ["text/event-stream;q=0, */*", "application/x-ndjson"],
  ])("is, where %j is accepted, %s", (accept, mediaType) => {
    expect(formatOf(accept).mediaType).toBe(mediaType);
  });

  it("says that a silent turn goes on: in a line, or in a comment that no page sees", () => {
    const value = { sequence: 3, state: TurnState.RUNNING };
    const message = create(TurnEventSchema, { kind: { case: "checkpoint", value } as never });
    const event = new FlatEvents().ofTransient(message);
    expect(JSON.parse(formatOf().heartbeat(event))).toMatchObject({
      sequence: 3,
      caught_up: false,
    });
    expect(formatOf("text/event-stream").heartbeat(event)).toMatch(/^:[^\n]*\n\n$/);
  });
});

describe("a stream over plain HTTP that the server ends", () => {
  it("says where to go on", async () => {
    await using server = await startTestServer({
      BREAKGLASS_READER_STALL_SECONDS: "4",
      BREAKGLASS_MAX_TURN_SUBSCRIPTIONS: "1",
    });
    // More than the kernel holds for a client that reads nothing.
    const steps = Array.from({ length: 60 }, () => "big 1000000");
    const [first] = await runPlain(server.url, script(...steps));
    const events = `${server.url}/v1/turns/${first!.turn_id}/events`;
    for (const accept of ["application/x-ndjson", "text/event-stream"]) {
      const stalled = await open(events, { headers: { accept } });
      // The only place is free again once the server has ended the stream; what was given before is still to be read.
      const after = await eventually(
        () => ask(`${events}?after_sequence=61`),
        ({ status }) => status === 200,
        30_000,
      );
      expect(after.status).toBe(200);
      let body = "";
      for await (const chunk of stalled) body += String(chunk);
      const last =
        accept === "text/event-stream"
          ? JSON.parse(String(sseOf(body).at(-1)!.data))
          : linesOf(body).at(-1);
      expect(last).toMatchObject({
        kind: "problem",
        turn_id: first!.turn_id,
        session_id: first!.session_id,
        status: 503,
        reason: "STREAM_ENDED",
        metadata: { turn_id: first!.turn_id, sequence: expect.stringMatching(/^\d+$/) },
        retry_after_ms: 1000,
      });
      const { body: rest } = await ask(`${events}?after_sequence=${last.metadata.sequence}`);
      const sequences = [...body.matchAll(/"kind":"text","sequence":(\d+)/g)].map(([, n]) => n);
      expect(sequences.at(-1)).toBe(last.metadata.sequence);
      expect(linesOf(rest)[1]).toMatchObject({ sequence: Number(last.metadata.sequence) + 1 });
    }
  });
});

describe("a reader over plain HTTP that takes nothing", () => {
  it("costs what it costs over RPC, and is cut off where all of them hold too much", async () => {
    await using server = await startTestServer({
      BREAKGLASS_READER_STALL_SECONDS: "3600",
      BREAKGLASS_MAX_STALLED_BYTES: String(4 * 1024 * 1024),
      BREAKGLASS_MAX_TURN_SUBSCRIPTIONS: "50",
    });
    const steps = Array.from({ length: 60 }, () => "big 1000000");
    const [first] = await runPlain(server.url, script(...steps));
    const events = `${server.url}/v1/turns/${first!.turn_id}/events`;
    const stalled = await Promise.all(Array.from({ length: 12 }, () => open(events)));
    for (const response of stalled) response.on("error", () => {}).pause();
    const cut = await eventually(
      () => Promise.resolve(server.log.filter((line) => line.includes("cut off")).length),
      (count) => count > 0,
      30_000,
    );
    expect(cut).toBeGreaterThan(0);
    const held = server.log.flatMap((line) => /"heldBytes":(\d+)/.exec(line)?.[1] ?? []);
    // An event that is on its way, and what was read ahead: one each.
    for (const bytes of held) expect(Number(bytes)).toBeLessThan(2.5 * 1024 * 1024);
    expect(linesOf((await ask(events)).body)).toHaveLength(63);
    for (const response of stalled) response.destroy();
  });
});

describe("a plain request that is cut", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const BODY = '{"prompt":"say hello"}';
  const head = (line: string, more: readonly string[] = []) =>
    [`${line} HTTP/1.1`, `Host: ${new URL(server.url).host}`, ...more, "", ""].join("\r\n");
  const requests = () => ({
    "with a length": `${head("POST /v1/turns", ["Content-Type: application/json", `Content-Length: ${BODY.length}`])}${BODY}`,
    "in chunks": `${head("POST /v1/turns", ["Content-Type: application/json", "Transfer-Encoding: chunked"])}${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`,
    "for events": head(
      "GET /v1/turns/00000000-0000-7000-8000-000000000000/events?after_sequence=1",
    ),
  });

  /** Sends the beginning of a request, in one piece, and ends the connection. */
  async function sendCut(bytes: string, isReset: boolean): Promise<void> {
    const { hostname, port } = new URL(server.url);
    const socket = connectTcp(Number(port), hostname).on("error", () => {});
    await once(socket, "connect");
    const closed = once(socket, "close");
    socket.write(bytes, () => (isReset ? socket.resetAndDestroy() : socket.end()));
    socket.resume();
    await closed;
  }

  it.each(["with a length", "in chunks", "for events"] as const)(
    "at each of its bytes starts nothing and harms nobody: %s",
    async (which) => {
      const whole = requests()[which];
      for (const isReset of [true, false]) {
        const cuts = Array.from({ length: whole.length - 1 }, (_, index) => index + 1);
        while (cuts.length > 0) {
          const some = cuts.splice(0, 16);
          await Promise.all(some.map((length) => sendCut(whole.slice(0, length), isReset)));
        }
      }
      using rpc = connect(server.url);
      expect((await rpc.client.listSessions({})).sessions).toEqual([]);
    },
  );

  it("is taken in pieces of one byte", async () => {
    const { hostname, port } = new URL(server.url);
    const socket = connectTcp({ port: Number(port), host: hostname, noDelay: true });
    for (const byte of requests()["in chunks"]) {
      await new Promise((resolve) => socket.write(byte, resolve));
    }
    let answer = "";
    for await (const chunk of socket) {
      answer += String(chunk);
      if (answer.includes('"kind":"result"')) break;
    }
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });
});

describe("a turn's events over plain HTTP", () => {
  it("are on disk before they are sent: a restart gives the same lines", async () => {
    await using server = await startTestServer();
    const gate = createGate(server.root);
    gate.open();
    const lines = await runPlain(server.url, script("bash echo hi", gate.step, "say hello"));
    await server.restart();
    const again = await ask(`${server.url}/v1/turns/${lines[0]!.turn_id}/events`);
    const durable = (all: typeof lines) => all.filter(({ kind }) => kind !== "checkpoint");
    expect(durable(linesOf(again.body))).toEqual(durable(lines));
  });
});
