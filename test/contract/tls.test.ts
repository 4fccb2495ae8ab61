import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import { join } from "node:path";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBreakglassClient } from "#client";
import { cases, collect } from "../support/events.ts";
import { createTestEnvironment, type TestEnvironment } from "../support/test-environment.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

let environment: TestEnvironment;
let server: TestServer;
let ca: Buffer;
beforeAll(async () => {
  environment = await createTestEnvironment();
  const [cert, key] = ["cert.pem", "key.pem"].map((name) => join(environment.root, name));
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const files = ["-keyout", key!, "-out", cert!];
  execFileSync("openssl", ["req", "-x509", ...kind, ...subject, ...files], { stdio: "pipe" });
  ca = readFileSync(cert!);
  server = await startTestServer({ BREAKGLASS_TLS_CERT: cert!, BREAKGLASS_TLS_KEY: key! });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await environment[Symbol.asyncDispose]();
});

describe("over TLS", () => {
  it("has an address that says so", () => {
    expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  });

  it.each([
    ["gRPC", createGrpcTransport],
    ["gRPC-Web", createGrpcWebTransport],
    ["Connect", createConnectTransport],
  ])("%s runs a turn on HTTP/2", async (_name, create) => {
    const sessionManager = new Http2SessionManager(server.url, {}, { ca });
    const transport = create({ baseUrl: server.url, httpVersion: "2", sessionManager });
    const events = await collect(createBreakglassClient(transport).runTurn({ prompt: "say hi" }));
    sessionManager.abort();
    expect(cases(events)).toEqual(["checkpoint", "session", "text", "result"]);
  });

  it.each([
    ["gRPC-Web", createGrpcWebTransport],
    ["Connect", createConnectTransport],
  ])("%s runs a turn on HTTP/1.1", async (_name, create) => {
    const agent = new Agent({ ca, keepAlive: true });
    const transport = create({
      baseUrl: server.url,
      httpVersion: "1.1",
      nodeOptions: { agent },
    });
    const events = await collect(createBreakglassClient(transport).runTurn({ prompt: "say hi" }));
    agent.destroy();
    expect(cases(events)).toEqual(["checkpoint", "session", "text", "result"]);
  });

  it("answers nobody in clear text", async () => {
    await expect(fetch(server.url.replace("https:", "http:"))).rejects.toThrow();
  });
});
