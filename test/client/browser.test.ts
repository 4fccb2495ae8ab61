import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeCertificate } from "../security/certificate.ts";
import { lacksBrowser, launchBrowser, withoutBrowser } from "../support/browser.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { collect, durable } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { type PageServer, servePage } from "../support/page-server.ts";
import { connect } from "../support/protocols.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer } from "../support/test-server.ts";

const PAGE = fileURLToPath(new URL("./page.ts", import.meta.url));
/** A name that is not loopback's: its pages over plain http are no secure context. */
const PLAIN_HOST = "plain.example";

let browser: Browser;
let pages: PageServer;
const cleanup = new AsyncDisposableStack();
beforeAll(async () => {
  if (lacksBrowser) return;
  const hosts = `--host-resolver-rules=MAP ${PLAIN_HOST} 127.0.0.1`;
  browser = await launchBrowser(hosts);
  cleanup.defer(() => browser.close());
  pages = cleanup.use(await servePage(PAGE));
});
afterAll(() => cleanup.disposeAsync());

describe.skipIf(lacksBrowser)(`the client in a browser${withoutBrowser}`, () => {
  it.each([
    ["Connect", "127.0.0.1", true],
    ["gRPC-Web", "127.0.0.1", true],
    ["Connect", PLAIN_HOST, false],
  ] as const)(
    "comes back over %s, on a page of http://%s, and delivers every event once",
    async (protocol, pageHost, isSecure) => {
      await using running = new AsyncDisposableStack();
      // The start's answer is lost twice; the third connection is cut by hand, in the middle.
      const proxy = running.use(
        await startCuttingProxy((n) => (n < 2 ? { afterBytes: 1, ending: "RST" } : undefined)),
      );
      const origin = pages.origin.replace("127.0.0.1", pageHost);
      const server = running.use(
        await startTestServer({
          BREAKGLASS_ALLOWED_HOSTS: proxy.host,
          BREAKGLASS_ALLOWED_ORIGINS: origin,
        }),
      );
      proxy.forwardTo(server.url);
      const gate = createGate(server.root);
      const page = await browser.newPage();
      running.defer(() => page.close());
      await page.goto(origin);
      const prompt = script("many 30", gate.step, "many 30");
      const streamed = page.evaluate(([url, how, what]) => window.streamInPage(url, how, what), [
        proxy.url,
        protocol,
        prompt,
      ] as const);
      await page.waitForFunction(() => document.title === "31");
      proxy.cut("RST");
      gate.open();
      const { turnId, losses, ...outcome } = await streamed;
      expect(losses).toBeGreaterThan(2);
      using direct = connect(server.url);
      const log = durable(await collect(direct.client.attachTurn({ turnId })));
      expect(outcome).toEqual({
        sequences: log.map(({ sequence }) => sequence),
        lastKind: "result",
        isSecureContext: isSecure,
      });
      const { sessions } = await direct.client.listSessions({});
      expect(sessions.map(({ turnCount }) => turnCount)).toEqual([1]);
    },
  );

  it.each([
    ["http", 5, []],
    ["http", 6, [expect.stringMatching(/^breakglass: ListSessions waits: 6 streams are open/)]],
    ["https", 6, []],
  ] as const)(
    "warns over %s, where %d streams are open, of connections that are used up: %j",
    async (scheme, streams, warnings) => {
      await using running = new AsyncDisposableStack();
      const files = running.use(await createTestEnvironment());
      const tls = scheme === "https" ? makeCertificate(files.root) : {};
      const settings = { ...tls, BREAKGLASS_ALLOWED_ORIGINS: pages.origin };
      const server = running.use(await startTestServer(settings));
      const page = await browser.newPage({ ignoreHTTPSErrors: true });
      running.defer(() => page.close());
      await page.goto(pages.origin);
      const gate = createGate(server.root);
      const seen = await page.evaluate(
        ([url, prompt, count]) => window.warningsInPage(url, prompt, count),
        [server.url, gate.step, streams] as const,
      );
      expect(seen).toEqual(warnings);
      gate.open();
    },
  );
});
