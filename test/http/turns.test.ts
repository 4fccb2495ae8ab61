import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collect, durable } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { connect, type TestClient } from "../support/protocols.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer, type TestServer, tokenLine } from "../support/test-server.ts";
import { ask, type Flat, linesOf, open, runPlain, sseOf } from "./support.ts";

const ID = "00000000-0000-7000-8000-000000000000";
const SSE = { accept: "text/event-stream" };
const kinds = (lines: readonly Flat[]) => lines.map(({ sequence, kind }) => [sequence, kind]);

let server: TestServer;
let rpc: TestClient;
let turns: string;
let lines: Flat[];
let events: string;
beforeAll(async () => {
  server = await startTestServer({ BREAKGLASS_MAX_PROMPT_BYTES: "1000" });
  rpc = connect(server.url);
  turns = `${server.url}/v1/turns`;
  lines = await runPlain(server.url, script("bash echo hi", "say hello"));
  events = `${turns}/${lines[0]!.turn_id}/events`;
});
afterAll(async () => {
  rpc[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

const sessions = async () => (await rpc.client.listSessions({})).sessions.length;
const problem = ({ body }: { body: string }) => JSON.parse(body) as Flat;

describe("a turn over plain HTTP", () => {
  it("is run by a POST of JSON, and streamed as a line for each event", async () => {
    expect(kinds(lines)).toEqual([
      [0, "checkpoint"],
      [1, "session"],
      [2, "tool"],
      [3, "tool_result"],
      [4, "text"],
      [5, "result"],
    ]);
    expect(lines[2]).toMatchObject({ name: "Bash", input: { command: "echo hi" } });
    expect(lines[5]).toMatchObject({ is_error: false, result: "done" });
    const turnId = String(lines[0]!.turn_id);
    const told = durable(await collect(rpc.client.attachTurn({ turnId })));
    expect(told.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5]);
  });

  it("is read again from after a sequence", async () => {
    const { headers, body } = await ask(`${events}?after_sequence=3`);
    expect(kinds(linesOf(body))).toEqual([
      [3, "checkpoint"],
      [4, "text"],
      [5, "result"],
    ]);
    expect(headers).toMatchObject({
      "content-type": "application/x-ndjson",
      "content-location": new URL(events).pathname,
      "x-accel-buffering": "no",
      "cache-control": "no-store",
    });
  });

  it("is a stream of server-sent events for who accepts those", async () => {
    const { headers, body } = await ask(`${events}?after_sequence=3`, { headers: SSE });
    expect(headers).toMatchObject({
      "content-type": "text/event-stream",
      "x-accel-buffering": "no",
    });
    const [retry, ...told] = sseOf(body);
    expect(retry).toEqual({ retry: "1000" });
    expect(told.map(({ id, event }) => [id, event])).toEqual([
      ["3", "checkpoint"],
      ["4", "text"],
      ["5", "result"],
    ]);
    expect(JSON.parse(String(told[1]!.data))).toEqual(lines[4]);
  });

  it("goes on after `Last-Event-ID`, whatever `after_sequence` says", async () => {
    const headers = { ...SSE, "last-event-id": "4" };
    const { body } = await ask(`${events}?after_sequence=1`, { headers });
    expect(sseOf(body).map(({ event }) => event)).toEqual([undefined, "checkpoint", "result"]);
  });

  it("answers who comes back for nothing that there is no more", async () => {
    const { status, body } = await ask(events, { headers: { ...SSE, "last-event-id": "5" } });
    expect([status, body]).toEqual([204, ""]);
  });

  it("is joined by its request_id", async () => {
    const more = { request_id: crypto.randomUUID() };
    const [first] = await runPlain(server.url, "say hello", more);
    const [again] = await runPlain(server.url, "say hello", more);
    expect(again!.turn_id).toBe(first!.turn_id);
  });

  it("is streamed over HTTP/2", async () => {
    await using cleanup = new AsyncDisposableStack();
    const session = cleanup.adopt(connectHttp2(server.url), (open) => open.destroy());
    const stream = session.request({ ":path": new URL(events).pathname });
    expect(kinds(linesOf(await text(stream)))).toHaveLength(6);
  });

  it("has pieces of text for who asks for them", async () => {
    const gate = createGate(server.root);
    const prompt = script("delta the disk", gate.step, "say the disk is full");
    const response = await open(turns, {
      headers: SSE,
      body: JSON.stringify({ prompt, text_deltas: true }),
    });
    let seen = "";
    for await (const chunk of response) {
      seen += String(chunk);
      if (seen.includes("text_delta")) gate.open();
    }
    const piece = sseOf(seen).find(({ event }) => event === "text_delta")!;
    expect(piece).not.toHaveProperty("id");
    expect(JSON.parse(String(piece.data))).toMatchObject({ sequence: 0, text: "the disk" });
  });

  it("is taken compressed", async () => {
    const body = gzipSync('{"prompt":"say hello"}');
    const headers = { "content-encoding": "gzip" };
    expect((await ask(turns, { body, headers })).status).toBe(200);
  });

  it("is live: a line is there before the next event is", async () => {
    const gate = createGate(server.root);
    const body = JSON.stringify({ prompt: script("say one", gate.step, "say two") });
    const response = await open(turns, { body });
    let seen = "";
    for await (const chunk of response) {
      seen += String(chunk);
      if (seen.includes('"text":"one"')) gate.open();
    }
    expect(linesOf(seen).at(-1)).toMatchObject({ kind: "result" });
  });

  it("goes on when its reader has gone", async () => {
    const gate = createGate(server.root);
    const body = JSON.stringify({ prompt: script(gate.step, "say two") });
    const response = await open(turns, { body });
    const [, id = ""] = /turns\/(.*)\/events/.exec(response.headers["content-location"]!) ?? [];
    response.destroy();
    gate.open();
    const told = await ask(`${turns}/${id}/events`);
    expect(linesOf(told.body).at(-1)).toMatchObject({ kind: "result" });
  });

  it("is what curl gets, with nothing but its own options", async () => {
    const curl = async (...args: string[]) =>
      (await promisify(execFile)("curl", ["-sSN", ...args])).stdout;
    const told = linesOf(await curl("--json", '{"prompt":"say hello"}', turns));
    expect(told.at(-1)).toMatchObject({ kind: "result" });
    expect(linesOf(await curl(events))).toHaveLength(6);
    const posted = JSON.parse(await curl("-d", '{"prompt":"say hello"}', turns)) as Flat;
    expect(posted).toMatchObject({ status: 415, detail: expect.stringContaining("--json") });
  });
});

describe("a plain request is refused", () => {
  it.each([
    ["that accepts neither", "GET", "EVENTS", { accept: "text/html" }, 406, {}],
    ["that accepts nothing", "GET", "EVENTS", { accept: "*/*;q=0" }, 406, {}],
    ["by another method", "DELETE", "EVENTS", {}, 405, { allow: "GET, OPTIONS" }],
    ["that would start by a GET", "GET", "/v1/turns", {}, 405, { allow: "POST, OPTIONS" }],
    ["for what there is not", "GET", "/v1/nothing", {}, 404, {}],
    ["with an encoding unheard of", "POST", "/v1/turns", { "content-encoding": "zip" }, 415, {}],
    ["of a form", "POST", "/v1/turns", { "content-type": "text/plain" }, 415, {}],
  ])("%s", async (_what, method, path, headers, status, told) => {
    const url = path === "EVENTS" ? events : server.url + path;
    const body = method === "POST" ? '{"prompt":"say hello"}' : undefined;
    const before = await sessions();
    const answer = await ask(url, { method, headers, ...(body && { body }) });
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({ "content-type": "application/problem+json", ...told });
    expect(problem(answer)).toMatchObject({ type: "about:blank", status });
    expect(await sessions()).toBe(before);
  });

  it.each([
    ["after=3", "after"],
    ["after_sequence=3&after_sequence=4", "after_sequence"],
    ["after_sequence=-1", "after_sequence"],
    ["after_sequence=4294967296", "after_sequence"],
    ["after_sequence=", "after_sequence"],
    ["text_deltas=yes", "text_deltas"],
  ])("with the query %s, which is told", async (query, field) => {
    const answer = await ask(`${events}?${query}`);
    expect(answer.status).toBe(400);
    const violations = [{ field, description: expect.any(String) }];
    expect(problem(answer)).toMatchObject({ reason: "INVALID_ARGUMENT", violations });
  });

  it("with a query that would start a turn", async () => {
    const answer = await ask(`${turns}?prompt=x`, { body: '{"prompt":"say hello"}' });
    expect(problem(answer)).toMatchObject({ status: 400, violations: [{ field: "prompt" }] });
  });

  it("with a Last-Event-ID that is none", async () => {
    const answer = await ask(events, { headers: { "last-event-id": "x" } });
    expect(problem(answer)).toMatchObject({ violations: [{ field: "Last-Event-ID" }] });
  });

  it.each([
    ["a field that is not known", '{"prompt":"say hello","sesion_id":""}', 400, /sesion_id/],
    ["no JSON", "{", 400, /cannot be read/],
    ["nothing in it", "", 400, /cannot be read/],
    ["an empty prompt", '{"prompt":" "}', 400, /prompt must not be empty/],
    ["too long a prompt", JSON.stringify({ prompt: "x".repeat(1001) }), 400, /1000 bytes/],
  ])("whose body has %s", async (_what, body, status, detail) => {
    const before = await sessions();
    const answer = await ask(turns, { body });
    expect(answer.status).toBe(status);
    expect(problem(answer)).toMatchObject({ reason: "INVALID_ARGUMENT" });
    expect(problem(answer).detail).toMatch(detail);
    expect(await sessions()).toBe(before);
  });

  it("whose body is larger than any could be", async () => {
    const answer = await ask(turns, { body: "x".repeat(20 * 1024 * 1024) });
    expect([answer.status, problem(answer).status]).toEqual([413, 413]);
  });

  it("with the reason and the metadata that RPC has", async () => {
    expect(problem(await ask(`${events}?after_sequence=9`))).toMatchObject({
      status: 400,
      reason: "OUT_OF_RANGE",
      metadata: { last_sequence: "5" },
    });
    expect(problem(await ask(`${turns}/${ID}/events`))).toMatchObject({
      status: 404,
      reason: "NOT_FOUND",
    });
    expect(problem(await ask(`${turns}/x/events`))).toMatchObject({
      status: 400,
      violations: [{ field: "turn_id", description: "must be a UUID" }],
    });
  });

  it("for where it comes from, as over RPC", async () => {
    for (const headers of [{ host: "evil.example" }, { origin: "https://evil.example" }]) {
      for (const url of [events, `${server.url}/openapi.json`]) {
        const answer = await ask(url, { headers });
        expect(answer.headers).not.toHaveProperty("access-control-allow-origin");
        expect(problem(answer)).toMatchObject({ status: 403, reason: "ORIGIN_NOT_ALLOWED" });
      }
    }
  });

  it("where a session's turn runs, with what runs", async () => {
    const gate = createGate(server.root);
    const session_id = crypto.randomUUID();
    const running = runPlain(server.url, gate.step, { session_id });
    const body = JSON.stringify({ prompt: "say hello", session_id });
    let answer = await ask(turns, { body });
    while (answer.status === 200) answer = await ask(turns, { body });
    expect(problem(answer)).toMatchObject({
      status: 409,
      reason: "TURN_IN_PROGRESS",
      metadata: { turn_id: expect.any(String) },
    });
    gate.open();
    await running;
  });
});

describe("limits and tokens over plain HTTP", () => {
  it("holds no body longer than it reads it", async () => {
    // Together they are more than all bodies may hold.
    const body = JSON.stringify({ unheard: "x".repeat(10 * 1024 * 1024) });
    for (let sent = 0; sent < 8; sent++) {
      expect((await ask(turns, { body })).status).toBe(400);
    }
  });

  it("lets in who has a token, and nobody else", async () => {
    await using environment = await createTestEnvironment();
    const tokensFile = join(environment.root, "tokens");
    await writeFile(tokensFile, tokenLine("secret", "alice"), { mode: 0o600 });
    await using guarded = await startTestServer({ BREAKGLASS_TOKENS_FILE: tokensFile });
    const body = '{"prompt":"say hello"}';
    const url = `${guarded.url}/v1/turns`;
    const without = await ask(url, { body });
    expect(without.headers["www-authenticate"]).toBe("Bearer");
    expect(problem(without)).toMatchObject({ status: 401, reason: "UNAUTHENTICATED" });
    const authorization = "Bearer secret";
    expect((await ask(url, { body, headers: { authorization } })).status).toBe(200);
    expect((await ask(`${guarded.url}/v1/nothing`)).status).toBe(401);
    expect((await ask(`${guarded.url}/openapi.json`)).status).toBe(200);
  });

  it("counts readers as RPC does, and says when to come again", async () => {
    await using bounded = await startTestServer({ BREAKGLASS_MAX_TURN_SUBSCRIPTIONS: "1" });
    const gate = createGate(bounded.root);
    const body = JSON.stringify({ prompt: gate.step });
    const response = await open(`${bounded.url}/v1/turns`, { body });
    const answer = await ask(bounded.url + response.headers["content-location"]);
    expect(problem(answer)).toMatchObject({ status: 429, reason: "TOO_MANY_SUBSCRIPTIONS" });
    gate.open();
    response.destroy();
  });

  it("says when to come again, in seconds", async () => {
    await using bounded = await startTestServer({ BREAKGLASS_MAX_CONCURRENT_TURNS: "1" });
    const gate = createGate(bounded.root);
    const running = runPlain(bounded.url, gate.step);
    const body = '{"prompt":"say hello"}';
    let answer = await ask(`${bounded.url}/v1/turns`, { body });
    while (answer.status === 200) answer = await ask(`${bounded.url}/v1/turns`, { body });
    expect(problem(answer)).toMatchObject({ status: 429, reason: "TOO_MANY_TURNS" });
    expect(answer.headers["retry-after"]).toMatch(/^[1-9]\d*$/);
    gate.open();
    await running;
  });

  it("answers a preflight that asks for what an EventSource of its own sends", async () => {
    const origin = "https://ops.example";
    await using paged = await startTestServer({ BREAKGLASS_ALLOWED_ORIGINS: origin });
    const { status, headers } = await ask(`${paged.url}/v1/turns`, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST" },
    });
    expect(status).toBe(204);
    expect(headers["access-control-allow-headers"]).toMatch(/last-event-id/i);
    expect(headers["access-control-allow-origin"]).toBe(origin);
  });
});

describe("a call of RPC that cannot be answered in its way", () => {
  const service = "/breakglass.v1.BreakglassService";

  it.each([
    ["RunTurn", "POST the same JSON to /v1/turns"],
    ["AttachTurn", "GET /v1/turns/{turn_id}/events"],
    ["WatchSession", "a client of gRPC"],
  ])("is told what to do: %s as plain JSON", async (method, mend) => {
    const answer = await ask(`${server.url}${service}/${method}`, { body: "{}" });
    expect(answer.status).toBe(415);
    expect(answer.headers["accept-post"]).toContain("application/connect+json");
    expect(problem(answer).detail).toContain(mend);
  });

  it.each(["application/grpc-web-text", "Application/gRPC-Web-Text+proto; charset=utf-8"])(
    "is told what to do: %s",
    async (type) => {
      const { headers, body } = await ask(`${server.url}${service}/RunTurn`, {
        headers: { "content-type": type },
        body: "AAAAAAA=",
      });
      expect(headers["content-type"]).toBe("application/grpc-web-text+proto");
      const frame = Buffer.from(body, "base64");
      expect([frame[0], frame.readUInt32BE(1)]).toEqual([0x80, frame.length - 5]);
      const trailers = decodeURIComponent(frame.subarray(5).toString());
      expect(trailers).toContain("grpc-status: 12\r\n");
      expect(trailers).toContain("use application/grpc-web+proto");
    },
  );
});
