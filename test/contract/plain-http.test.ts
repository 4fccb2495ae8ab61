import { randomUUID } from "node:crypto";
import { request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collect } from "../support/events.ts";
import { connect as connectClient } from "../support/protocols.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const SERVICE = "/breakglass.v1.BreakglassService";

describe("plain HTTP", () => {
  let server: TestServer;
  let turnId: string;
  beforeAll(async () => {
    server = await startTestServer({ BREAKGLASS_ALLOWED_ORIGINS: "https://ops.example" });
    using connection = connectClient(server.url);
    const events = await collect(connection.client.runTurn({ prompt: "say hello" }));
    turnId = events[0]!.turnId;
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const post = (method: string, body: string, headers: Record<string, string> = {}) =>
    fetch(`${server.url}${SERVICE}/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });

  it("needs no client: a POST of JSON answers JSON", async () => {
    const response = await post("GetTurn", JSON.stringify({ turnId }));
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      turn: { turnId, state: "TURN_STATE_SUCCEEDED", lastSequence: 3, prompt: "say hello" },
    });
  });

  it("answers a refusal in JSON with its reason", async () => {
    const response = await post("GetTurn", JSON.stringify({ turnId: randomUUID() }));
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      code: "not_found",
      details: [{ type: "google.rpc.ErrorInfo", debug: { reason: "NOT_FOUND" } }],
    });
  });

  it.each([
    ["no JSON", "{"],
    ["a field of another type", '{"turnId":7}'],
    ["a lone surrogate", '{"turnId":"\\ud800"}'],
    ["nesting without end", `{"turnId":${"[".repeat(10_000)}`],
  ])("refuses %s", async (_what, body) => {
    const response = await post("GetTurn", body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: "invalid_argument" });
  });

  it("knows no other paths and methods", async () => {
    expect((await fetch(`${server.url}/nothing`)).status).toBe(404);
    const unknown = await post("NoSuchMethod", "{}");
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ code: "unimplemented" });
    expect((await fetch(`${server.url}${SERVICE}/CancelTurn`)).status).toBe(405);
  });

  it.each([
    ["a name that was rebound", { host: "evil.example" }],
    ["an address that is not loopback's", { host: "10.0.0.1:7433" }],
    ["a page elsewhere", { origin: "https://evil.example" }],
    ["a page of a file", { origin: "null" }],
    ["a page under the allowed one's name", { origin: "https://ops.example.evil.example" }],
    ["the allowed page without TLS", { origin: "http://ops.example" }],
    ["a page on another port of this host", { origin: "http://127.0.0.1:1" }],
  ])("refuses %s", async (_what, headers) => {
    const { status, body } = await postWith(headers);
    expect(status).toBe(403);
    expect(JSON.parse(body)).toMatchObject({
      code: "permission_denied",
      details: [{ debug: { reason: "ORIGIN_NOT_ALLOWED", domain: "breakglass" } }],
    });
  });

  it("lets the allowed page, and the service's own, read the answer", async () => {
    for (const origin of ["https://ops.example", server.url]) {
      const { status, allowed } = await postWith({ origin });
      expect([status, allowed]).toEqual([200, origin]);
    }
  });

  it("answers a preflight for the allowed page and no other", async () => {
    const ask = (origin: string) =>
      fetch(`${server.url}${SERVICE}/GetTurn`, {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": "POST" },
      });
    const allowed = await ask("https://ops.example");
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get("access-control-allow-origin")).toBe("https://ops.example");
    expect(allowed.headers.get("access-control-allow-headers")).toMatch(/authorization/i);
    const other = await ask("https://evil.example");
    expect(other.status).toBe(403);
    expect(other.headers.get("access-control-allow-origin")).toBeNull();
  });

  it.each([
    ["a request without a host", "GET / HTTP/1.1\r\n\r\n"],
    ["a host that is no host", "GET / HTTP/1.1\r\nHost: [\r\n\r\n"],
    ["no HTTP at all", "\u0016\u0003\u0001 hello\r\n\r\n"],
    ["a preface that goes on wrong", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"],
  ])("survives %s", async (_what, bytes) => {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {});
    socket.end(Buffer.from(bytes, "latin1"));
    await new Promise((resolve) => socket.resume().once("close", resolve));
    expect((await post("GetTurn", JSON.stringify({ turnId }))).status).toBe(200);
  });

  /** fetch sets Host and Origin itself. */
  function postWith(headers: Record<string, string>) {
    return new Promise<{ status: number | undefined; allowed: unknown; body: string }>(
      (resolve, reject) => {
        const sent = { "content-type": "application/json", ...headers };
        const asked = request(`${server.url}${SERVICE}/GetTurn`, { method: "POST", headers: sent });
        asked.on("error", reject).on("response", async (response) => {
          const allowed = response.headers["access-control-allow-origin"];
          resolve({ status: response.statusCode, allowed, body: await text(response) });
        });
        asked.end(JSON.stringify({ turnId }));
      },
    );
  }
});
