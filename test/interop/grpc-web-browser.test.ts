import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lacksBrowser, launchBrowser, withoutBrowser } from "../support/browser.ts";
import { collect } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { type PageServer, servePage } from "../support/page-server.ts";
import { connect } from "../support/protocols.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer, type TestServer, tokenLine } from "../support/test-server.ts";
import type { PageProtocol } from "./grpc-web-page.ts";

const PAGE = fileURLToPath(new URL("./grpc-web-page.ts", import.meta.url));
const PROTOCOLS: readonly PageProtocol[] = ["connect", "gRPC-Web"];

let browser: Browser;
let allowed: PageServer;
let other: PageServer;
const cleanup = new AsyncDisposableStack();
beforeAll(async () => {
  if (lacksBrowser) return;
  browser = await launchBrowser();
  cleanup.defer(() => browser.close());
  allowed = cleanup.use(await servePage(PAGE));
  other = cleanup.use(await servePage(PAGE));
});
afterAll(() => cleanup.disposeAsync());

describe.skipIf(lacksBrowser).each(PROTOCOLS)(
  `a browser that speaks %s${withoutBrowser}`,
  (protocol) => {
    it("runs a turn from a page of an allowed origin", async () => {
      await using server = await startTestServer({ BREAKGLASS_ALLOWED_ORIGINS: allowed.origin });
      const prompt = script("bash echo hi", "say hello");
      const { failure, ...outcome } = await run(allowed, server, protocol, prompt);
      expect(failure).toBe("");
      expect(outcome.events).toEqual([
        [0, "checkpoint"],
        [1, "session"],
        [2, "tool"],
        [3, "toolResult"],
        [4, "text"],
        [5, "result"],
      ]);
      using connection = connect(server.url);
      const { turn } = await connection.client.getTurn({ turnId: outcome.turnId });
      expect(turn?.lastSequence).toBe(5);
    });

    it("sends a token, and learns why it is refused without one", async () => {
      await using environment = await createTestEnvironment();
      const tokensFile = join(environment.root, "tokens");
      await writeFile(tokensFile, tokenLine("secret", "alice"), { mode: 0o600 });
      await using server = await startTestServer({
        BREAKGLASS_ALLOWED_ORIGINS: allowed.origin,
        BREAKGLASS_TOKENS_FILE: tokensFile,
      });
      const without = await run(allowed, server, protocol, "say hello");
      expect(without.failure).toMatch(/^UNAUTHENTICATED: /);
      const bearing = await run(allowed, server, protocol, "say hello", "secret");
      expect(bearing.events.at(-1)).toEqual([3, "result"]);
    });

    it("learns the fields to mend from a refusal", async () => {
      await using server = await startTestServer({ BREAKGLASS_ALLOWED_ORIGINS: allowed.origin });
      const { failure } = await run(allowed, server, protocol, " ");
      expect(failure).toMatch(/^INVALID_ARGUMENT: .*\nprompt: must not be empty$/);
    });

    it("gets nowhere from a page of another origin, and no turn is recorded", async () => {
      await using server = await startTestServer({ BREAKGLASS_ALLOWED_ORIGINS: allowed.origin });
      const outcome = await run(other, server, protocol, "say hello");
      expect(outcome.events).toEqual([]);
      expect(outcome.failure).toMatch(/Failed to fetch/);
      using connection = connect(server.url);
      expect((await connection.client.listSessions({})).sessions).toEqual([]);
    });
  },
);

describe.skipIf(lacksBrowser)(`a page of another origin${withoutBrowser}`, () => {
  it("starts nothing by a request that needs no preflight either", async () => {
    await using server = await startTestServer({ BREAKGLASS_ALLOWED_ORIGINS: allowed.origin });
    const url = `${server.url}/breakglass.v1.BreakglassService/RunTurn`;
    const page = await browser.newPage();
    await page.goto(other.origin);
    // A form's content types are sent across origins without asking first.
    await page.evaluate(async (target) => {
      const body = '{"prompt":"say hello"}';
      for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
        const headers = { "content-type": type };
        await fetch(target, { method: "POST", mode: "no-cors", headers, body });
      }
    }, url);
    await page.close();
    using connection = connect(server.url);
    expect((await connection.client.listSessions({})).sessions).toEqual([]);
    expect(await collect(connection.client.runTurn({ prompt: "say hello" }))).toHaveLength(4);
  });
});

async function run(
  from: PageServer,
  server: TestServer,
  protocol: PageProtocol,
  prompt: string,
  token = "",
) {
  const page = await browser.newPage();
  await page.goto(from.origin);
  const outcome = await page.evaluate(
    ([url, how, what, bearer]) => window.runInPage(url, how, what, bearer),
    [server.url, protocol, prompt, token] as const,
  );
  await page.close();
  return outcome;
}
