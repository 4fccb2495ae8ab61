import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { open } from "../http/support.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";
import { scrape } from "../telemetry/scrape.ts";

const METRICS_TOKEN = `sha256:${createHash("sha256").update("scraper").digest("hex")}`;
const LIST = "/breakglass.v1.BreakglassService/ListSessions";

/** A server that knows alice, and what a request with a token is answered with. */
async function startKnowing(settings: Readonly<Record<string, string>>) {
  await using cleanup = new AsyncDisposableStack();
  const { root } = cleanup.use(await createTestEnvironment());
  const tokens = join(root, "tokens");
  await writeFile(tokens, tokenLine("alpha", "alice"), { mode: 0o600 });
  const server = cleanup.use(
    await startTestServer({ BREAKGLASS_TOKENS_FILE: tokens, ...settings }),
  );
  const owned = cleanup.move();
  return {
    async status(token?: string, more: Readonly<Record<string, string>> = {}) {
      const headers = { ...(token && { authorization: `Bearer ${token}` }), ...more };
      return (await scrape(server.url, headers)).status;
    },
    async callStatus(token: string) {
      const headers = { authorization: `Bearer ${token}` };
      const answer = await open(`${server.url}${LIST}`, { headers, body: "{}" });
      answer.resume();
      return answer.statusCode;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

describe("the metrics of a server with tokens", () => {
  it("are for whoever may call it", async () => {
    await using server = await startKnowing({});
    expect(await server.status()).toBe(401);
    expect(await server.status("wrong")).toBe(401);
    expect(await server.status("scraper")).toBe(401);
    expect(await server.status("alpha")).toBe(200);
  });

  it("are for the bearer of a token that opens nothing else", async () => {
    await using server = await startKnowing({ BREAKGLASS_METRICS_TOKEN: METRICS_TOKEN });
    expect(await server.status()).toBe(401);
    expect(await server.status("wrong")).toBe(401);
    expect(await server.status("scraper")).toBe(200);
    expect(await server.status("alpha")).toBe(200);
    expect(await server.callStatus("scraper")).toBe(401);
    expect(await server.callStatus("alpha")).toBe(200);
  });

  it("are for everyone where that is set, but for pages elsewhere", async () => {
    await using server = await startKnowing({ BREAKGLASS_METRICS: "open" });
    expect(await server.status()).toBe(200);
    expect(await server.status(undefined, { origin: "https://evil.example" })).toBe(403);
    expect(await server.status(undefined, { host: "rebound.example" })).toBe(403);
    expect(await server.callStatus("scraper")).toBe(401);
  });

  it("are for nobody where there are none", async () => {
    await using server = await startKnowing({ BREAKGLASS_METRICS: "off" });
    expect(await server.status()).toBe(404);
    expect(await server.status("alpha")).toBe(404);
  });

  it("are not for who sends two credentials, one of which is right", async () => {
    await using server = await startKnowing({ BREAKGLASS_METRICS_TOKEN: METRICS_TOKEN });
    expect(await server.status("scraper, Bearer alpha")).toBe(401);
  });
});

describe("the hash of the metrics' token", () => {
  it.each(["", "\n"])("is not that of nothing: %j", async (nothing) => {
    const hash = createHash("sha256").update(nothing).digest("hex");
    const settings = { BREAKGLASS_METRICS_TOKEN: `sha256:${hash}` };
    await expect(startTestServer(settings)).rejects.toThrow(/BREAKGLASS_METRICS_TOKEN/);
  });
});
