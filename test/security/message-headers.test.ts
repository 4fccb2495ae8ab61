import { constants } from "node:http2";
import { setTimeout as delay, setImmediate } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import type { DescMethod } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, it, vi } from "vitest";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { createGate } from "../support/gate.ts";
import { connect } from "../support/protocols.ts";
import { openRaw, RAW_PROTOCOLS, RAW_WAYS, type RawWay } from "../support/raw-calls.ts";
import { useRawServer } from "./raw-server.ts";

const { getTurn, runTurn, watchSession } = BreakglassService.method;
const TURN = "00000000-0000-4000-8000-000000000000";

const server = useRawServer();

function wayOf(protocol: RawWay["protocol"], isJson: boolean): RawWay {
  return { protocol, isJson, encoding: "identity" };
}

const json = (value: object) => Buffer.from(JSON.stringify(value));

describe.each(RAW_PROTOCOLS)("the headers of %s", (protocol) => {
  const timeoutHeader = protocol === "connect" ? "connect-timeout-ms" : "grpc-timeout";
  const run = (headers: Record<string, string>, isJson = true) =>
    server.send(runTurn, wayOf(protocol, isJson), json({ prompt: "say hello" }), { headers });

  it("may have a deadline that no timer reaches: it does not pass at once", async () => {
    const far =
      protocol === "connect" ? ["2147483648", "9999999999"] : ["99999999H", "2147484S", "596524H"];
    for (const timeout of far) {
      expect((await run({ [timeoutHeader]: timeout })).code).toBe("OK");
    }
  });

  it("may have a deadline that no timer reaches: it passes in its own time", async () => {
    const gate = createGate(server.root);
    using connection = connect(server.url);
    const first = new EventReader(connection.client.runTurn({ prompt: gate.step }));
    const { sessionId } = await first.until("session");
    gate.open();
    await first.rest();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    using _real = { [Symbol.dispose]: () => void vi.useRealTimers() };
    const seen = Promise.withResolvers<void>();
    const headers = { [timeoutHeader]: protocol === "connect" ? "2147484000" : "2147484S" };
    const watching = server.send(watchSession, wayOf(protocol, true), json({ sessionId }), {
      headers,
      received: () => seen.resolve(),
    });
    await seen.promise;
    vi.advanceTimersByTime(2 ** 31 - 1);
    expect(await Promise.race([watching, setImmediate("open")])).toBe("open");
    vi.advanceTimersByTime(2_147_484_000 - 2 ** 31 + 1);
    const late = delay(5000, { code: "open" }, { ref: false });
    expect(await Promise.race([watching, late])).toMatchObject({ code: "DeadlineExceeded" });
  });

  it("may have a deadline that passes", async () => {
    const gate = createGate(server.root);
    const wait = json({ prompt: gate.step });
    const headers = { [timeoutHeader]: protocol === "connect" ? "300" : "300m" };
    const answer = await server.send(runTurn, wayOf(protocol, true), wait, { headers });
    expect(answer.code).toBe("DeadlineExceeded");
    gate.open();
  });

  it("are told in few words where they are wrong, however long they are", async () => {
    const long = "9".repeat(10_000);
    const encoding = protocol === "connect" ? "connect-content-encoding" : "grpc-encoding";
    for (const [name, code] of [
      [timeoutHeader, "InvalidArgument"],
      [encoding, "Unimplemented"],
    ] as const) {
      const answer = await run({ [name]: long });
      expect(answer.code).toBe(code);
      expect(answer.message.length).toBeLessThan(300);
    }
    for (const timeout of ["", "-1", "1e3", "1.5", "0x10", "NaN", "1 S"]) {
      expect((await run({ [timeoutHeader]: timeout })).code).toBe("InvalidArgument");
    }
  });

  it("may carry 10 KB of a token, which is read as any other that is wrong", async () => {
    const way = wayOf(protocol, false);
    const headers = { authorization: `Bearer ${"t".repeat(10_000)}` };
    const message = Buffer.concat([Buffer.from([0x0a, 36]), Buffer.from(TURN)]);
    expect((await server.send(getTurn, way, message, { headers })).code).toBe("Unauthenticated");
  });

  it.each([true, false])("name the format in any case (in JSON: %s)", async (isJson) => {
    const format = isJson ? "JSON" : "Proto";
    const type = `Application/${protocol.toUpperCase()}+${format} ; profile="a;b"; charset=UTF-8`;
    const way = wayOf(protocol, isJson);
    const request = { prompt: "say hello" };
    const message = isJson ? json(request) : Buffer.from([0x12, 9, ...Buffer.from("say hello")]);
    const seen: Buffer[] = [];
    const answer = await server.send(runTurn, way, message, {
      headers: { "content-type": type },
      received: (chunk) => void seen.push(chunk),
    });
    expect(answer.code).toBe("OK");
    // The events are in the format that was asked for: one that is not would be no JSON, or some.
    expect(Buffer.concat(seen).includes('"text":{"text":"hello"')).toBe(isJson);
  });
});

describe("the media type", () => {
  const message = json({ turnId: TURN });
  const call = (type: string, way = wayOf("connect", true)) =>
    server.send(getTurn, way, message, { headers: { "content-type": type } });

  it.each([
    "application/JSON",
    "application/json;charset=UTF-8",
    'application/json; charset="utf-8"',
    "Application/Json ; Charset=UTF8",
    "application/json; profile=x",
    'application/json; profile="a;b,c=d"',
    "application/json;",
    `application/json;${" ".repeat(10_000)}profile=x`,
  ])("may be %s", async (type) => expect((await call(type)).code).toBe("NotFound"));

  it.each([
    "",
    "text/plain",
    "application/json; charset=utf-16",
    "application/grpc-web-texts",
    "application/connect+json",
    "application/xml+json",
    "application/json, application/proto",
    "application/json application/proto",
    `${" ".repeat(10_000)}application/xml`,
  ])("must be one of ours, and not %j", async (type) => {
    expect((await call(type)).code).toBe("HTTP 415");
  });

  it.each(["GZIP", "Gzip"])("may be compressed as %s", async (encoding) => {
    const way = RAW_WAYS.find((one) => one.protocol === "connect" && one.encoding === "gzip")!;
    const sent = gzipSync(Buffer.concat([Buffer.from([0x0a, 36]), Buffer.from(TURN)]));
    const headers = { "content-encoding": encoding };
    expect((await server.send(getTurn, way, sent, { headers })).code).toBe("NotFound");
  });
});

describe("a call by GET", () => {
  const get = (method: string, query: string, headers: Record<string, string> = {}) =>
    fetch(`${server.url}/breakglass.v1.BreakglassService/${method}?${query}`, { headers });
  const base64 = (message: Uint8Array) => Buffer.from(message).toString("base64url");
  const inBinary = Buffer.concat([Buffer.from([0x0a, 36]), Buffer.from(TURN)]);

  it.each([
    ["JSON", `encoding=json&message=${encodeURIComponent(JSON.stringify({ turnId: TURN }))}`],
    ["JSON in base64", `encoding=json&base64=1&message=${base64(json({ turnId: TURN }))}`],
    ["binary", `connect=v1&encoding=proto&base64=1&message=${base64(inBinary)}`],
    [
      "compressed",
      `encoding=proto&base64=1&compression=gzip&message=${base64(gzipSync(inBinary))}`,
    ],
  ])("asks what changes nothing, with its message in %s", async (_how, query) => {
    const response = await get("GetTurn", query);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: "not_found" });
    expect(response.headers.get("cache-control")).toBe("no-store");
  });

  it("is answered", async () => {
    const response = await get("ListSessions", "encoding=json&message={}");
    expect(response.status).toBe(200);
    expect(await response.json()).toBeTypeOf("object");
  });

  it.each([
    ["no encoding", "message={}", 415],
    ["another encoding", "encoding=text&message={}", 415],
    ["a compression that is not known", "encoding=json&compression=lzma&message={}", 501],
    ["a message that is none", "encoding=json&message={", 400],
  ])("is refused with %s", async (_what, query, status) => {
    expect((await get("ListSessions", query)).status).toBe(status);
  });

  it("is refused to a page of another origin", async () => {
    const headers = { origin: "https://evil.example" };
    expect((await get("ListSessions", "encoding=json&message={}", headers)).status).toBe(403);
  });

  it.each(["CancelTurn", "DeleteSession", "RunTurn", "WatchSession"])(
    "changes nothing and streams nothing: %s is called by POST alone",
    async (method) => expect((await get(method, "encoding=json&message={}")).status).toBe(405),
  );
});

describe.each(RAW_PROTOCOLS)("a method that there is not, over %s", (protocol) => {
  it.each(["unary", "server_streaming"] as const)("is UNIMPLEMENTED: %s", async (methodKind) => {
    const method = { ...getTurn, methodKind, name: "NoSuchMethod" } as DescMethod;
    for (const isJson of [true, false]) {
      const answer = await server.send(method, wayOf(protocol, isJson), Buffer.alloc(0));
      expect(answer).toMatchObject({
        code: "Unimplemented",
        message: "there is no method breakglass.v1.BreakglassService/NoSuchMethod",
      });
    }
  });
});

it("a method that there is not is told of over gRPC where the stream ends, as grpc-go wants it", async () => {
  const connection = openRaw(server.url);
  const stream = connection.request({
    ":method": "POST",
    ":path": `/${getTurn.parent.typeName}/NoSuchMethod`,
    "content-type": "application/grpc",
  });
  stream.end(Buffer.alloc(5)).resume();
  const last = await new Promise((resolve) => {
    stream.once("response", (head, flags) => {
      if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) resolve(head);
    });
    stream.once("trailers", resolve).once("close", resolve);
  });
  expect(last).toMatchObject({ "grpc-status": String(Code.Unimplemented) });
  connection.destroy();
});
