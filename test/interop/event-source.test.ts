import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, linesOf, open, runPlain } from "../http/support.ts";
import { lacksBrowser, launchBrowser, withoutBrowser } from "../support/browser.ts";
import { createGate, script } from "../support/gate.ts";
import { type PageServer, servePage } from "../support/page-server.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer } from "../support/test-server.ts";

let browser: Browser;
let pages: PageServer;
const cleanup = new AsyncDisposableStack();
beforeAll(async () => {
  if (lacksBrowser) return;
  browser = await launchBrowser();
  cleanup.defer(() => browser.close());
  pages = cleanup.use(
    await servePage(fileURLToPath(new URL("./event-source-page.ts", import.meta.url))),
  );
});
afterAll(() => cleanup.disposeAsync());

describe.skipIf(lacksBrowser)(`an EventSource in a browser${withoutBrowser}`, () => {
  it("gets every event once and in order over a kill -9 and a restart, and then stays away", async () => {
    await using running = new AsyncDisposableStack();
    const { root, variables } = running.use(
      await createTestEnvironment({ BREAKGLASS_ALLOWED_ORIGINS: pages.origin }),
    );
    const first = running.use(await startServeProcess(variables));
    const gate = createGate(root);
    const body = JSON.stringify({ prompt: script("many 30", gate.step, "say never") });
    const started = await open(`${first.url}/v1/turns`, { body });
    started.on("error", () => {}).resume();
    const events = first.url + started.headers["content-location"];
    const page = await browser.newPage();
    running.defer(() => page.close());
    await page.goto(pages.origin);
    await page.evaluate((url) => window.followInPage(url), events);
    await page.waitForFunction(() => window.seen.events.length > 30);
    await first.end("SIGKILL");
    const { port } = new URL(first.url);
    const again = { ...variables, BREAKGLASS_LISTEN: `127.0.0.1:${port}` };
    running.use(await startServeProcess(again));
    await page.waitForFunction(() => window.seen.isClosed);
    const seen = await page.evaluate(() => window.seen);
    const told = linesOf((await ask(events)).body).filter(({ kind }) => kind !== "checkpoint");
    expect(told.at(-1)).toMatchObject({ kind: "error", reason: "SERVER_RESTARTED" });
    expect(seen.losses).toBeGreaterThan(1);
    const durable = seen.events.filter(([, kind]) => kind !== "checkpoint");
    expect(durable).toEqual(told.map(({ sequence, kind }) => [String(sequence), kind]));
  });

  it("needs no more than the page's own origin where it is the server's, and there are no tokens", async () => {
    await using server = await startTestServer();
    const [first] = await runPlain(server.url, "say hello");
    // What is no page of the server's own may call nothing by itself.
    const page = await browser.newPage({ bypassCSP: true });
    await page.goto(`${server.url}/openapi.json`);
    const kinds = await page.evaluate(
      (url) =>
        new Promise<string[]>((resolve) => {
          const seen: string[] = [];
          const source = new EventSource(url);
          for (const kind of ["session", "text", "result"]) {
            source.addEventListener(kind, () => seen.push(kind));
          }
          source.onerror = () => {
            if (source.readyState === EventSource.CLOSED) resolve(seen);
          };
        }),
      `/v1/turns/${first!.turn_id}/events`,
    );
    await page.close();
    expect(kinds).toEqual(["session", "text", "result"]);
  });
});
