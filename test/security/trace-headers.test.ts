import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { traceContextOf } from "../../src/trace-context.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "00f067aa0ba902b7";
const GOOD = `00-${TRACE}-${SPAN}-01`;
const PROMPT = "bash tr '\\0' '\\n' < /proc/$PPID/environ | grep ^TRACE || echo no trace";

describe("a traceparent", () => {
  const read = (traceparent: string, tracestate?: string) =>
    traceContextOf(new Headers({ traceparent, ...(tracestate && { tracestate }) }));

  it.each([
    ["", "nothing"],
    ["garbage", "garbage"],
    [GOOD.toUpperCase(), "in capitals"],
    [`ff-${TRACE}-${SPAN}-01`, "of a version that never will be"],
    [`00-${"0".repeat(32)}-${SPAN}-01`, "of no trace"],
    [`00-${TRACE}-${"0".repeat(16)}-01`, "of no span"],
    [`${GOOD}-more`, "of version 00 that says more"],
    [`${GOOD}, ${GOOD}`, "that came twice"],
    [`${GOOD},`, "with a comma"],
    [`00-${TRACE}-${SPAN}-1`, "that is cut"],
    [`00-${TRACE}-${SPAN}`, "without flags"],
    [`01-${TRACE}-${SPAN}-01-${"x".repeat(100_000)}`, "that is too long"],
    [`00-${TRACE}${TRACE}-${SPAN}-01`, "with a trace that is too long"],
  ])("is as none: %s", (value) => {
    expect(read(value)).toBeUndefined();
  });

  it.each([
    [GOOD, GOOD],
    [` ${GOOD} `, GOOD],
    [`00-${TRACE}-${SPAN}-ff`, `00-${TRACE}-${SPAN}-ff`],
    [`cc-${TRACE}-${SPAN}-01-what-is-to-come`, GOOD],
  ])("is read: %s", (value, traceparent) => {
    expect(read(value)).toEqual({ traceparent, tracestate: "" });
  });

  it("goes on without a tracestate that is too long, or no text", () => {
    expect(read(GOOD, "a=1,b=2")).toEqual({ traceparent: GOOD, tracestate: "a=1,b=2" });
    expect(read(GOOD, `a=${"x".repeat(600)}`)).toEqual({ traceparent: GOOD, tracestate: "" });
    expect(read(GOOD, "a=\u00ff")).toEqual({ traceparent: GOOD, tracestate: "" });
  });
});

describe("a request whose trace is malformed", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it.each([
    ["garbage", ["$(reboot)"]],
    ["too long", [`01-${TRACE}-${SPAN}-01-${"x".repeat(8000)}`]],
    ["twice", [GOOD, GOOD]],
    ["twice, once wrong", [GOOD, "x"]],
  ])("runs as one without, over either HTTP version: %s", async (_what, values) => {
    for (const answer of [
      await askOverHttp1(server.url, values),
      await askOverHttp2(server.url, values),
    ]) {
      expect(answer).toContain('"kind":"result"');
      expect(answer).not.toContain("TRACEPARENT=");
    }
  });

  it("is the only kind that is treated so", async () => {
    expect(await askOverHttp1(server.url, [GOOD])).toContain(`TRACEPARENT=${GOOD}`);
    expect(await askOverHttp2(server.url, [GOOD])).toContain(`TRACEPARENT=${GOOD}`);
  });
});

const BODY = JSON.stringify({ prompt: PROMPT });

async function askOverHttp1(url: string, values: readonly string[]): Promise<string> {
  const { hostname, port, host } = new URL(url);
  const socket = connectTcp(Number(port), hostname);
  const lines = [
    "POST /v1/turns HTTP/1.1",
    `host: ${host}`,
    "connection: close",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(BODY)}`,
    ...values.map((value) => `traceparent: ${value}`),
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n${BODY}`);
  return text(socket);
}

async function askOverHttp2(url: string, values: readonly string[]): Promise<string> {
  const session = connectHttp2(url);
  const headers = {
    ...{ ":method": "POST", ":path": "/v1/turns", "content-type": "application/json" },
    traceparent: [...values],
  };
  const stream = session.request(headers);
  stream.end(BODY);
  try {
    return await text(stream);
  } finally {
    session.close();
  }
}
