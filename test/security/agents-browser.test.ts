import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BROWSER_PATH, lacksBrowser, launchBrowser, withoutBrowser } from "../support/browser.ts";
import { EventReader } from "../support/event-reader.ts";
import { openClient } from "../support/operator.ts";
import { eventually } from "../support/processes.ts";
import { startTestServer, type TestServer, tokenLine } from "../support/test-server.ts";

const LONGEST_MS = 120_000;
const TOKEN = "alice-has-it";
const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-browser-"));
  await chmod(folder, 0o711);
});
afterEach(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

/** Makes a directory that an agent can write to, whoever it is. */
async function makeDirectory(name: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(path, { mode: 0o700 });
  if (isRoot) await chown(path, NOBODY, NOBODY);
  return path;
}

/** A server on loopback, whose operator has a token. */
async function startServer(more: Readonly<Record<string, string>>): Promise<TestServer> {
  const tokens = join(folder, "tokens");
  await writeFile(tokens, tokenLine(TOKEN, "alice"), { mode: 0o600 });
  return startTestServer({
    BREAKGLASS_TOKENS_FILE: tokens,
    BREAKGLASS_DATA_DIR: join(folder, "data"),
    CLAUDE_CONFIG_DIR: await makeDirectory("claude"),
    NODE_DISABLE_COMPILE_CACHE: "1",
    ...more,
  });
}

/** Has an agent start a browser, and takes it over by its own protocol for debugging. */
async function agentsBrowser({ url }: TestServer, cleanup: AsyncDisposableStack): Promise<Browser> {
  const profile = await makeDirectory("profile");
  const flags = "--headless=new --no-sandbox --disable-dev-shm-usage --disable-gpu";
  const places = `--user-data-dir=${profile} --remote-debugging-port=0`;
  const command = `${BROWSER_PATH} ${flags} ${places} about:blank >/dev/null 2>&1`;
  const { client } = cleanup.use(openClient(url, TOKEN));
  const turn = cleanup.use(
    new EventReader(client.runTurn({ prompt: `detach HOME=${profile} ${command}\nhang` })),
  );
  await turn.until("session");
  const port = await eventually(
    async () =>
      (await readFile(join(profile, "DevToolsActivePort"), "utf8").catch(() => "")).trim(),
    (found) => found.includes("\n"),
    60_000,
  );
  const [number, path] = port.split("\n");
  const browser = await chromium.connectOverCDP(`ws://127.0.0.1:${number}${path}`);
  cleanup.defer(() => browser.close());
  return browser;
}

/** What a page of the server's own origin is told by a call over the framework's protocol and by a plain one. */
async function called(
  page: Page,
  { url }: TestServer,
): Promise<{ status: number; body: string }[]> {
  await page.goto(`${url}/openapi.json`);
  return page.evaluate(
    async ([token]) => {
      const authorization = `Bearer ${token}`;
      const headers = { authorization, "content-type": "application/json" };
      const calls = [
        ["/breakglass.v1.BreakglassService/ListSessions", { method: "POST", headers, body: "{}" }],
        ["/v1/turns/00000000-0000-7000-8000-000000000000/events", { headers }],
      ] as const;
      return Promise.all(
        calls.map(async ([path, init]) => {
          const answer = await fetch(path, init);
          return { status: answer.status, body: await answer.text() };
        }),
      );
    },
    [TOKEN] as const,
  );
}

describe.skipIf(lacksBrowser)(`a browser that an agent has started${withoutBrowser}`, () => {
  it.for([
    ["the server's user", {}, true],
    ["a user of its own", { BREAKGLASS_AGENT_USER: "nobody" }, isRoot],
  ] as const)(
    "as %s is refused with its operator's token, and the operator's own browser goes on",
    { timeout: LONGEST_MS },
    async ([, settings, isPossible], { skip }) => {
      if (!isPossible) skip("it takes root to run agents as another user");
      await using cleanup = new AsyncDisposableStack();
      const server = cleanup.use(await startServer(settings));
      const own = await launchBrowser();
      cleanup.defer(() => own.close());
      // What is no page of the server's own may call nothing by itself.
      const operators = await own.newPage({ bypassCSP: true });
      const before = await called(operators, server);
      expect(before.map(({ status }) => status)).toEqual([200, 404]);
      const agents = await agentsBrowser(server, cleanup);
      const page = await agents.newPage({ bypassCSP: true });
      for (const { status, body } of await called(page, server)) {
        expect({ status, body }).toEqual({
          status: 403,
          body: expect.stringContaining("AGENT_NOT_ALLOWED"),
        });
      }
      const after = await called(operators, server);
      expect(after.map(({ status }) => status)).toEqual([200, 404]);
      expect(after[0]!.body).toContain("sessionId");
    },
  );
});
