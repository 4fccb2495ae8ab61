import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { streamTurn } from "#client";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { ErrorReason, type TurnEvent, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { FAULT_FORMS, readFault } from "../../src/fake/faults.ts";
import { REFUSAL_REASONS } from "../../src/fake/refusals.ts";
import { AT_ONCE } from "../client/cut-server.ts";
import { pages } from "../docs/pages.ts";
import { EventReader } from "../support/event-reader.ts";
import { bytesOf, cases, collect, durable, valuesOf } from "../support/events.ts";
import { detailsOf, GrpcJsClient } from "../support/grpc-js.ts";
import { connect, PROTOCOLS } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { always, startTestFake, type TestFake } from "./support.ts";

/** A turn of two seconds, an event each 100 ms. */
const TICKING = always({ repeat: { times: 20, steps: [{ text: "{{n}}" }, { delay: "100ms" }] } });
const HANGING = always({ text: "I wait." }, { failure: "hang" });

let it_: TestFake;
beforeAll(async () => {
  it_ = await startTestFake({ script: TICKING, settings: { BREAKGLASS_DRAIN_SECONDS: "20" } });
});
afterEach(async () => {
  await it_.fake.clearFaults();
  await it_.fake.setScript(TICKING);
});
afterAll(() => it_[Symbol.asyncDispose]());

/** A whole turn by a client that comes back, on a connection of its own. */
async function streamed(): Promise<TurnEvent[]> {
  using connection = connect(it_.fake.url);
  const run = { run: { prompt: "x" } };
  return Array.fromAsync(streamTurn(connection.client, run, { backOff: AT_ONCE }));
}

const logged = (what: object) =>
  it_.log
    .map((line) => JSON.parse(line))
    .filter((line) => {
      return Object.entries(what).every(([name, value]) => line[name] === value);
    });

const texts = (events: readonly TurnEvent[]) => valuesOf(events, "text").map(({ text }) => text);
const ALL = Array.from({ length: 20 }, (_, i) => String(i + 1));

describe("cut", () => {
  it("breaks a stream in the middle, and a client that comes back loses nothing", async () => {
    await it_.fake.addFaults("cut:300ms:3");
    const before = logged({ fault: "cut" }).length;
    using connection = connect(it_.fake.url);
    await using reader = new EventReader(connection.client.runTurn({ prompt: "x" }));
    await expect(reader.rest()).rejects.toMatchObject({
      rawMessage: expect.stringMatching(/reset|closed|aborted/i),
    });
    expect(cases(reader.seen)).not.toContain("result");
    const events = await streamed();
    expect(texts(events)).toEqual(ALL);
    expect(durable(events).map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 22 }, (_, i) => i + 1),
    );
    expect(logged({ fault: "cut" }).length - before).toBe(3);
  });

  it("is done now to all that is open", async () => {
    using connection = connect(it_.fake.url);
    await using reader = new EventReader(connection.client.runTurn({ prompt: "x" }));
    await reader.until("text");
    expect(await it_.fake.cut()).toBeGreaterThanOrEqual(1);
    await expect(reader.rest()).rejects.toThrow();
  });
});

describe.each(PROTOCOLS.filter(({ name }) => !name.includes("JSON")))(
  "stall, over $name",
  (protocol) => {
    it("has a stream go silent, whose connection stays", async () => {
      await it_.fake.addFaults("stall:500ms:1");
      using connection = protocol.connect(it_.fake.url);
      await using reader = new EventReader(connection.client.runTurn({ prompt: "x" }));
      const { turnId } = await reader.until("checkpoint");
      let isOver = false;
      const rest = reader.rest().finally(() => {
        isOver = true;
      });
      rest.catch(() => {});
      const all = await collect(connection.client.attachTurn({ turnId }));
      expect(cases(all).at(-1)).toBe("result");
      expect(isOver).toBe(false);
      expect(cases(reader.seen)).not.toContain("result");
      expect(reader.seen.length).toBeLessThan(all.length);
      await it_.fake.cut();
      await expect(rest).rejects.toThrow();
    });
  },
);

it("stall:0s sends not even the headers, and a client that waits for a while comes back", async () => {
  await it_.fake.addFaults("stall:0s:1");
  using connection = connect(it_.fake.url);
  const stream = streamTurn(
    connection.client,
    { run: { prompt: "x" } },
    { silenceMs: 1000, backOff: AT_ONCE },
  );
  expect(texts(await Array.fromAsync(stream))).toEqual(ALL);
});

describe.each([
  ["goaway", 0],
  ["calm", 11],
] as const)("%s", (fault, code) => {
  it(`says GOAWAY with the code ${code}, and the next call is taken on another connection`, async () => {
    await it_.fake.addFaults(`${fault}:100ms:1`);
    const session = connectHttp2(it_.fake.url);
    session.on("error", () => {});
    const path = `/breakglass.v1.BreakglassService/ListSessions`;
    const call = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/json",
    });
    call.on("error", () => {});
    const [told] = await once(session, "goaway");
    expect(told).toBe(code);
    session.destroy();
    expect(texts(await streamed())).toEqual(ALL);
  });
});

it("goaway lets the streams go on to their end", async () => {
  await it_.fake.addFaults("goaway:200ms");
  expect(texts(await it_.run({ prompt: "x" }))).toEqual(ALL);
});

describe("drain", () => {
  it("gives a turn its time, refuses another, and is over", async () => {
    using connection = connect(it_.fake.url);
    await using reader = new EventReader(connection.client.runTurn({ prompt: "x" }));
    await reader.until("text");
    const drained = it_.fake.drain();
    const refused = await refusalOf(it_.client.runTurn({ prompt: "y" }));
    expect(refused).toMatchObject({ code: "Unavailable", reason: "DRAINING" });
    expect(cases(await reader.rest()).at(-1)).toBe("result");
    await drained;
    expect(texts(await streamed())).toEqual(ALL);
  });
});

describe("lost", () => {
  it("ends a turn under its reader, once, and the server is back", async () => {
    await it_.fake.addFaults("lost:500ms");
    await it_.fake.setScript(HANGING);
    const events = await streamed();
    expect(valuesOf(events, "error")).toMatchObject([{ reason: ErrorReason.SERVER_SHUTDOWN }]);
    const [{ turnId }] = events as [TurnEvent];
    await it_.fake.start();
    using connection = connect(it_.fake.url);
    const { turn } = await connection.client.getTurn({ turnId });
    expect(turn?.state).toBe(TurnState.LOST);
    await it_.fake.setScript(TICKING);
    expect(texts(await streamed())).toEqual(ALL);
  });
});

describe("restart", () => {
  it("breaks every connection, and a turn that ran is lost, with all that it had said", async () => {
    await it_.fake.setScript(HANGING);
    using connection = connect(it_.fake.url);
    const events: TurnEvent[] = [];
    let restarted: Promise<void> | undefined;
    const run = { run: { prompt: "x" } };
    for await (const event of streamTurn(connection.client, run, { backOff: AT_ONCE })) {
      events.push(event);
      if (event.kind.case === "text") restarted = it_.fake.restart();
    }
    await restarted;
    expect(cases(durable(events))).toEqual(["session", "text", "error"]);
    expect(valuesOf(events, "error")).toMatchObject([{ reason: ErrorReason.SERVER_RESTARTED }]);
    const [{ turnId }] = events as [TurnEvent];
    const log = await collect(connection.client.attachTurn({ turnId }));
    expect(bytesOf(durable(log))).toEqual(bytesOf(durable(events)));
  });

  it("happens so long after a stream began, once", async () => {
    await it_.fake.addFaults("restart:200ms");
    await it_.fake.setScript(HANGING);
    const events = await streamed();
    expect(valuesOf(events, "error")).toMatchObject([{ reason: ErrorReason.SERVER_RESTARTED }]);
    await it_.fake.setScript(TICKING);
    expect(texts(await streamed())).toEqual(ALL);
  });

  it("leaves no process of the agent's", async () => {
    await it_.fake.setScript(
      always(
        { line: { type: "system", subtype: "informational", content: "up" } },
        { failure: "hang" },
      ),
    );
    using connection = connect(it_.fake.url);
    await using reader = new EventReader(connection.client.runTurn({ prompt: "x" }));
    const { sessionId } = await reader.until("notice");
    await it_.fake.restart();
    // It waits for what was left of the session.
    await it_.fake.setScript(TICKING);
    expect(valuesOf(await it_.run({ prompt: "y", sessionId }), "session")).toMatchObject([
      { resumed: true },
    ]);
  });

  it("leaves of other faults what had not happened yet", async () => {
    await it_.fake.addFaults("refuse:STORAGE:2");
    const call = () => refusalOf(it_.client.listSessions({}));
    expect(await call()).toMatchObject({ reason: "STORAGE" });
    await it_.fake.restart();
    expect(await call()).toMatchObject({ reason: "STORAGE" });
    await it_.client.listSessions({});
  });

  it("takes a while in which there is nobody, by hand", async () => {
    const { url } = it_.fake;
    await it_.fake.kill();
    await expect(fetch(url)).rejects.toThrow();
    await it_.fake.start();
    expect(it_.fake.url).toBe(url);
    expect(texts(await streamed())).toEqual(ALL);
  });
});

describe("refuse", () => {
  it.each(REFUSAL_REASONS)(
    "%s has the code and the details of the API, over gRPC's own client",
    async (reason) => {
      await it_.fake.addFaults(`refuse:${reason}:1`);
      using client = new GrpcJsClient(it_.fake.url);
      const error = await client
        .call(BreakglassService.method.listSessions, {})
        .catch((it: unknown) => it);
      expect(detailsOf(error as never, ErrorInfoSchema)).toMatchObject([
        { reason, domain: "breakglass" },
      ]);
      const row = pages()
        .find(({ path }) => path === "docs/api.md")!
        .text.split("\n")
        .find((line) => {
          return (
            line.startsWith("| `") &&
            line.includes(` · `) &&
            line.split("|")[1]!.includes(`\`${reason}\``)
          );
        })!;
      const refused = await (async () => {
        await it_.fake.addFaults(`refuse:${reason}:1`);
        return refusalOf(it_.client.listSessions({}));
      })();
      const code = /`([A-Z_]+)` ·/.exec(row)![1]!;
      expect(refused.code?.toUpperCase()).toBe(code.replaceAll("_", ""));
      expect(refused.retryMs !== undefined).toBe(row.includes("`RetryInfo`"));
      await client.call(BreakglassService.method.listSessions, {});
    },
  );

  it.each(PROTOCOLS)("is told over $name", async (protocol) => {
    await it_.fake.addFaults("refuse:TOO_MANY_TURNS:1");
    using connection = protocol.connect(it_.fake.url);
    const refused = await refusalOf(connection.client.runTurn({ prompt: "x" }));
    expect(refused).toMatchObject({
      code: "ResourceExhausted",
      reason: "TOO_MANY_TURNS",
      retryMs: 1000,
    });
  });

  it("is told over plain HTTP", async () => {
    await it_.fake.addFaults("refuse:TOO_MANY_TURNS:1");
    const response = await fetch(`${it_.fake.url}/v1/turns`, {
      method: "POST",
      body: '{"prompt":"x"}',
    });
    expect(response.status).toBe(429);
    expect(await response.json()).toMatchObject({ reason: "TOO_MANY_TURNS", retry_after_ms: 1000 });
  });

  it("has a method that is named refused over plain HTTP too, and no preflight", async () => {
    await it_.fake.addFaults("refuse:TOO_MANY_TURNS@RunTurn:1", "refuse:STORAGE@AttachTurn:1");
    const url = `${it_.fake.url}/v1/turns`;
    const origin = { origin: it_.fake.url, "access-control-request-method": "POST" };
    expect((await fetch(url, { method: "OPTIONS", headers: origin })).status).toBe(204);
    const turnId = "0191d1f0-0000-7000-8000-000000000001";
    const read = await fetch(`${url}/${turnId}/events`);
    expect(await read.json()).toMatchObject({ reason: "STORAGE" });
    const started = await fetch(url, { method: "POST", body: '{"prompt":"x"}' });
    expect(await started.json()).toMatchObject({ reason: "TOO_MANY_TURNS" });
  });

  it("has a method that is named refused, and no other", async () => {
    await it_.fake.addFaults("refuse:STORAGE@AttachTurn");
    const [{ turnId }] = (await it_.run({ prompt: "x" })) as [TurnEvent];
    const refused = await refusalOf(it_.client.attachTurn({ turnId }));
    expect(refused).toMatchObject({ reason: "STORAGE", retryMs: 5000 });
  });

  it("has no RetryInfo where that is asked for", async () => {
    await it_.fake.addFaults("refuse:TOO_MANY_TURNS:1", "no-retry-info");
    const refused = await refusalOf(it_.client.runTurn({ prompt: "x" }));
    expect(refused).toEqual({
      code: "ResourceExhausted",
      reason: "TOO_MANY_TURNS",
      domain: "breakglass",
    });
  });

  it("leaves health and reflection alone", async () => {
    await it_.fake.addFaults("refuse:DRAINING", "http:503");
    const headers = { "content-type": "application/json" };
    const check = `${it_.fake.url}/grpc.health.v1.Health/Check`;
    expect((await fetch(check, { method: "POST", headers, body: "{}" })).status).toBe(200);
  });
});

it("http answers with a bare status, so many times", async () => {
  await it_.fake.addFaults("http:503:2");
  const call = () => refusalOf(it_.client.listSessions({}));
  expect([await call(), await call()]).toEqual([{ code: "Unavailable" }, { code: "Unavailable" }]);
  await it_.client.listSessions({});
});

it("slow takes as long as its rate says, and loses nothing", async () => {
  await it_.fake.setScript(always({ text: { size: "60KB" } }));
  const events = await it_.run({ prompt: "x" });
  await it_.fake.addFaults("slow:40KB");
  const began = performance.now();
  const again = await collect(it_.client.attachTurn({ turnId: events[0]!.turnId }));
  // Of the text, and of the result that repeats it.
  expect(performance.now() - began).toBeGreaterThan(2900);
  expect(bytesOf(durable(again))).toEqual(bytesOf(durable(events)));
});

describe("a fault that is none", () => {
  it.each([
    ["cutt", "takes one of cut[:AFTER][:TIMES], stall"],
    ["cut:2x", "takes AFTER as a duration such as 500ms"],
    ["cut:2", ""],
    ["cut:2s:0", "takes TIMES as a whole number from 1"],
    ["cut:2s:1:1", "takes cut[:AFTER][:TIMES]"],
    ["refuse", "takes REASON as one of INVALID_ARGUMENT"],
    ["refuse:TOO_MANY", "takes REASON as one of INVALID_ARGUMENT"],
    ["refuse:STORAGE@:1", "takes METHOD as one of RunTurn"],
    ["refuse:STORAGE@AttachTurns", "takes METHOD as one of RunTurn"],
    ["refuse:STORAGE:x", "takes TIMES as a whole number from 1"],
    ["http:200", "takes http:STATUS[:TIMES], a status from 400 to 599"],
    ["slow:0", "takes slow:BYTES_A_SECOND"],
    ["no-retry-info:1", "takes no-retry-info and nothing behind it"],
  ])("%s is refused with the mend", (written, mend) => {
    if (mend === "") expect(readFault(written)).toEqual({ kind: "cut", afterMs: 1000, times: 2 });
    else
      expect(() => readFault(written)).toThrow(`the fault "${written}" is not known: it ${mend}`);
  });

  it("is told of beside all that there are", () => {
    const { text } = pages().find(({ path }) => path === "docs/fake.md")!;
    expect(FAULT_FORMS.filter((form) => !text.includes(`\n| \`${form}\` |`))).toEqual([]);
  });
});
