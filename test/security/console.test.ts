import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { overHttp1, overHttp2 } from "../http/console-requests.ts";
import { CONSOLE, haveConsole } from "../support/built-console.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer, type TestServer, tokenLine } from "../support/test-server.ts";
import { RawClient } from "./raw-client.ts";

/** Ten seconds, and what it takes to be looked at on a busy machine. */
const ENDED_WITHIN_MS = 16_000;
const CALL = "/breakglass.v1.BreakglassService/GetServerInfo";

const cleanup = new AsyncDisposableStack();
/** Calls of it take a token. */
let server: TestServer;
beforeAll(async () => {
  haveConsole();
  const { root } = cleanup.use(await createTestEnvironment());
  const tokens = join(root, "tokens");
  await writeFile(tokens, tokenLine("secret", "alice"), { mode: 0o600 });
  server = cleanup.use(await startTestServer({ BREAKGLASS_TOKENS_FILE: tokens }));
});
afterAll(() => cleanup.disposeAsync());

const WAYS = [
  ["HTTP/1.1", overHttp1],
  ["HTTP/2", overHttp2],
] as const;

describe.each(WAYS)("a stranger before the console, over %s,", (_way, ask) => {
  it("gets the page, which says nothing of the server, and nothing else", async () => {
    const page = await ask(server.url, "/");
    expect(page.status).toBe(200);
    expect(page.body.equals(await readFile(join(CONSOLE, "index.html")))).toBe(true);
    for (const path of [`${CALL}?encoding=json&message={}&connect=v1`, "/v1/turns/x/events"])
      expect((await ask(server.url, path)).status).toBe(401);
    const wrong = await ask(server.url, "/", { authorization: "Bearer wrong" });
    expect(wrong.body.equals(page.body)).toBe(true);
  });

  it.each([
    "/../package.json",
    "/..",
    "/assets/../../package.json",
    "/assets/../index.html",
    "/%2e%2e/package.json",
    "/%2e%2e%2fpackage.json",
    "/assets/%2e%2e%2findex.html",
    "/assets%2f..%2f..%2fpackage.json",
    "/assets/..%5c..%5cpackage.json",
    "/.%00./package.json",
    "/index.html%00.js",
    "/index.html/",
    "//index.html",
    "//evil.example/",
    "/./index.html",
    "/turns/..",
    "/turns/..%2f..%2fpackage.json",
    "/sessions/%2e%2e",
    "/constructor",
    "/__proto__",
    "/console/dist/index.html",
    "/src/main.ts",
    "/icon.svg.br",
    "/index.html.gz",
    "/%69ndex.html",
  ])("finds nothing at %s", async (path) => {
    const { status, headers, body } = await ask(server.url, path);
    expect([400, 404]).toContain(status);
    expect(headers["content-type"] ?? "application/problem+json").toBe("application/problem+json");
    expect(body.length).toBeLessThan(500);
  });

  it("gets nothing by another name of the server's, nor for another's page", async () => {
    for (const path of ["/", "/icon.svg", "/turns/x", "/nothing"]) {
      for (const headers of [{ host: "evil.example" }, { origin: "http://evil.example" }]) {
        const { status, body } = await ask(server.url, path, headers);
        expect([path, status]).toEqual([path, 403]);
        expect(JSON.parse(body.toString())).toMatchObject({ reason: "ORIGIN_NOT_ALLOWED" });
      }
    }
    const own = { origin: new URL(server.url).origin };
    expect((await ask(server.url, "/", own)).status).toBe(200);
  });

  it.each([
    "/nothing",
    "/turns/<script>",
    "/metrics",
    "/openapi.json",
    "/healthz",
    "/v1/turns/<script>",
  ])("is told at %s what no browser runs, or shows in a page of its own", async (path) => {
    const { headers } = await ask(server.url, path, { accept: "text/html" });
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
    expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
    expect(headers["content-type"]).not.toContain("html");
  });

  it("gets no larger answer by headers that are too much", async () => {
    const many = Array.from({ length: 500 }, (_, index) => `x${index};q=0.${index}`).join(",");
    const known = Array.from({ length: 500 }, (_, index) => `"${index}"`).join(",");
    const headers = { "accept-encoding": many, "if-none-match": known, range: "bytes=0-0" };
    const { status, body } = await ask(server.url, "/", headers);
    expect(status).toBe(200);
    expect(body.equals(await readFile(join(CONSOLE, "index.html")))).toBe(true);
  });
});

describe("a connection that brought the page alone", () => {
  it("is a stranger's, and ends as such", async () => {
    using client = await RawClient.open(server.url);
    const { host } = new URL(server.url);
    const asked = Buffer.from(`GET /icon.svg HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    // Again and again: it is not for silence that it ends.
    const pieces = Array.from({ length: ENDED_WITHIN_MS / 1000 }, () => asked);
    void client.write(pieces, "none", 1000);
    const { bytes, end } = await client.answer(ENDED_WITHIN_MS);
    expect(bytes.toString("latin1")).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(end).toBeDefined();
  });

  it("answers what stands behind it in the same pipeline, in its order", async () => {
    using client = await RawClient.open(server.url);
    const { host } = new URL(server.url);
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
    const asked = ["/", "/nothing", "/icon.svg", "/healthz"].map(get).join("");
    await client.write([Buffer.from(asked)]);
    const { bytes } = await client.answer(ENDED_WITHIN_MS);
    const statuses = [...bytes.toString("latin1").matchAll(/HTTP\/1\.1 (\d+)/g)];
    expect(statuses.map(([, status]) => status)).toEqual(["200", "404", "200", "200"]);
  });
});
