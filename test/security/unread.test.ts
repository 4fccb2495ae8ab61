import { writeFile } from "node:fs/promises";
import { Agent, request as requestHttp } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/processes.ts";
import { createTestEnvironment, type TestEnvironment } from "../support/test-environment.ts";
import { startTestServer, type TestServer, tokenLine } from "../support/test-server.ts";
import { heldConnections, RawClient } from "./raw-client.ts";
import { pathOf } from "./raw-requests.ts";

const MIB = 1024 * 1024;
const KNOWN = { authorization: "Bearer secret" };
const JSON_TYPE = { "content-type": "application/json" };

/** Requests that are answered before their body was read, by what they are answered with. */
const CASES = [
  ["a message above the limit", pathOf("GetTurn"), { ...KNOWN, ...JSON_TYPE }, 429],
  ["no token", pathOf("GetTurn"), JSON_TYPE, 401],
  [
    "a page elsewhere",
    pathOf("GetTurn"),
    { ...KNOWN, ...JSON_TYPE, origin: "https://evil.example" },
    403,
  ],
  ["a path that is not there", "/nowhere", { ...KNOWN, ...JSON_TYPE }, 404],
  ["a type that is not known", pathOf("GetTurn"), { ...KNOWN, "content-type": "text/html" }, 415],
  ["two hosts", pathOf("GetTurn"), { ...KNOWN, ...JSON_TYPE, host: "a b" }, 400],
] as const;

describe("a request of HTTP/1.1 that is answered before its body was read", () => {
  let environment: TestEnvironment;
  let server: TestServer;
  beforeAll(async () => {
    environment = await createTestEnvironment();
    const tokens = join(environment.root, "tokens");
    await writeFile(tokens, tokenLine("secret", "alice"), { mode: 0o600 });
    server = await startTestServer({
      BREAKGLASS_TOKENS_FILE: tokens,
      BREAKGLASS_MAX_ATTACHMENT_BYTES: "0",
      BREAKGLASS_MAX_PROMPT_BYTES: "1000",
    });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await environment[Symbol.asyncDispose]();
  });

  const innocent = { method: "POST", headers: { ...KNOWN, ...JSON_TYPE }, body: "{}" };

  it.each(CASES)(
    "for %s does the next one no harm, of Node's agent",
    async (_what, path, headers, status) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const ask = (target: string, sent: Record<string, string>, chunks: readonly string[]) =>
        new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
          const options = { method: "POST", agent, headers: sent };
          const asked = requestHttp(`${server.url}${target}`, options, async (response) => {
            resolve({ status: response.statusCode, body: await text(response) });
          });
          // What is still being written when the connection ends is lost, as it is to be.
          asked.on("error", (error) => setImmediate(reject, error));
          for (const chunk of chunks) asked.write(chunk);
          asked.end();
        });
      for (let round = 0; round < 3; round++) {
        const first = await ask(path, headers, ["x".repeat(MIB), "x".repeat(MIB)]);
        expect(first.status).toBe(status);
        const next = await ask(pathOf("ListSessions"), { ...KNOWN, ...JSON_TYPE }, ["{}"]);
        expect(next).toEqual({ status: 200, body: "{}" });
      }
      agent.destroy();
    },
  );

  it.each(CASES.filter(([, , headers]) => !("host" in headers)))(
    "for %s does the next one no harm, of fetch",
    async (_what, path, headers, status) => {
      for (let round = 0; round < 3; round++) {
        const body = new Blob(["x".repeat(2 * MIB)]).stream();
        const options = { method: "POST", headers, body, duplex: "half" } as RequestInit;
        const first = await fetch(`${server.url}${path}`, options);
        expect(first.status).toBe(status);
        await first.arrayBuffer();
        const next = await fetch(`${server.url}${pathOf("ListSessions")}`, innocent);
        expect([next.status, await next.text()]).toEqual([200, "{}"]);
      }
    },
  );

  it.each(CASES)(
    "for %s is read whole by a client that says all first",
    async (_what, path, headers, status) => {
      using client = await RawClient.open(server.url);
      const { host } = new URL(server.url);
      client.socket.pause();
      const all = { host, "transfer-encoding": "chunked", ...headers };
      const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
      const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
      await client.write([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n`)]);
      for (let sent = 0; sent < 50; sent++) {
        await client.write([Buffer.from(chunk)], "none", 10);
      }
      client.socket.resume();
      await client.write([], "FIN");
      const { bytes, end } = await client.answer(10_000);
      const answer = bytes.toString("latin1");
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      expect(answer).toMatch(/^connection: close\r$/im);
      expect(answer.split("HTTP/1.1")).toHaveLength(2);
      expect(end).toBe("FIN");
    },
  );

  it("is let go of though its client sends for ever, or says no more", async () => {
    using sends = await RawClient.open(server.url);
    using silent = await RawClient.open(server.url);
    const head = Buffer.from(
      `POST /nowhere HTTP/1.1\r\nhost: ${new URL(server.url).host}\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    const chunk = Buffer.from(`100000\r\n${"x".repeat(MIB)}\r\n`);
    await silent.write([head]);
    await sends.write([head]);
    await eventually(
      () => heldConnections(server.url),
      (held) => held <= 3,
    );
    for (let sent = 0; sent < 200 && !sends.socket.destroyed; sent++) {
      if (!sends.socket.write(chunk)) await Promise.race([drained(sends), delay(5000)]);
    }
    expect(sends.socket.bytesWritten).toBeLessThan(150 * MIB);
    expect((await silent.answer(12_000)).end).toBeDefined();
    expect(
      await eventually(
        () => heldConnections(server.url),
        (held) => held <= 1,
      ),
    ).toBeLessThanOrEqual(1);
  });

  it("keeps its connection where all of it came with its headers", async () => {
    using client = await RawClient.open(server.url);
    const { host } = new URL(server.url);
    const request = Buffer.from(
      `POST /nowhere HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 2\r\n\r\n{}`,
    );
    for (let round = 1; round <= 3; round++) {
      await client.write([request]);
      const count = () => client.text.split("HTTP/1.1 404").length - 1;
      expect(await eventually(count, (found) => found === round)).toBe(round);
    }
    expect(client.text).not.toMatch(/connection: close/i);
  });
});

function drained({ socket }: RawClient): Promise<void> {
  return new Promise((resolve) => socket.once("drain", resolve).once("close", () => resolve()));
}
