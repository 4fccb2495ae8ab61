import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { createBreakglassClient } from "#client";
import { openGrpcConnection } from "#client/node";
import { tokenLine } from "../support/test-server.ts";
import { type Figure, median } from "./figure.ts";
import { fillStore } from "./filled-store.ts";
import { tasksDuring } from "./page-tasks.ts";
import { startService } from "./service.ts";

const AGENT = fileURLToPath(new URL("held-agent.sh", import.meta.url));
/** So many turns are on the desk. */
const TURNS = 1000;
const CHANGES = 10;
const OPEN_MS = 2000;
const TASK_MS = 100;
/** From the request that starts a turn until the desk shows it. */
const CHANGE_MS = 500;
const PATIENCE_MS = 60_000;

/**
 * What the desk takes of a browser before a store of a hundred thousand turns: how long until it shows what ended last; with a thousand turns on
 * it the longest task while it is scrolled through and while turns come, and how long one takes to be seen.
 */
export async function* measureDesk(browser: Browser): AsyncGenerator<Figure> {
  await using cleanup = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "breakglass-desk-"));
  cleanup.defer(() => rm(directory, { recursive: true }));
  await fillStore(directory, Date.now());
  const tokens = join(directory, "tokens");
  await writeFile(tokens, tokenLine("me", "me"), { mode: 0o600 });
  const service = cleanup.use(
    await startService({
      BREAKGLASS_DATA_DIR: directory,
      BREAKGLASS_TOKENS_FILE: tokens,
      BREAKGLASS_AGENT_COMMAND: AGENT,
      BREAKGLASS_RESERVE_BYTES: "0",
      BREAKGLASS_RETENTION_SECONDS: "0",
    }),
  );
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, locale: "en-US" });
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(service.url);
  await page.getByLabel("Token", { exact: true }).fill("me");
  await page.keyboard.press("Enter");
  const lines = page.getByRole("link", { name: /^Look why the gateway/ });
  await lines.first().waitFor();
  const began = performance.now();
  await page.reload();
  await lines.first().waitFor();
  yield figure("the desk shows what ended last", performance.now() - began, OPEN_MS);

  await fill(page);
  const scrolled = await tasksDuring(browser, page, () => scrollThrough(page));
  yield figure("longest task while a desk of 1,000 is scrolled", scrolled.longest, TASK_MS);
  yield figure(
    "longest task while a desk of 1,000 is scrolled, its processor time",
    scrolled.longestCpu,
    TASK_MS,
  );
  using connection = openConnection(service.url);
  const waits: number[] = [];
  const changing = await tasksDuring(browser, page, async () => {
    for (let n = 0; n < CHANGES; n++) waits.push(await change(page, connection.client, n));
  });
  yield figure("a turn is seen on a desk of 1,000, median", median(waits), CHANGE_MS);
  yield figure(
    "longest task while turns come to it, its processor time",
    changing.longestCpu,
    TASK_MS,
  );
  await page.close();
}

function figure(name: string, value: number, limit: number): Figure {
  return { figure: `console: ${name}`, value, unit: "ms", limit, bar: { atMost: 1 } };
}

function openConnection(url: string) {
  const connection = openGrpcConnection(url, "me");
  const client = createBreakglassClient(connection.transport);
  return { client, [Symbol.dispose]: () => connection.close() };
}

/** Has the desk show as many turns as that. */
async function fill(page: Page): Promise<void> {
  const shown = () => page.getByRole("link", { name: /^Look why the gateway/ }).count();
  for (let count = await shown(); count < TURNS; count = await shown()) {
    const more = page.getByRole("button", { name: /^(?:Show \d+ more|Show older ones)/ });
    await more.first().click();
    await page.waitForFunction(
      (before) => document.querySelectorAll("main li").length > before,
      count,
    );
  }
}

async function scrollThrough(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const frame = () => new Promise(requestAnimationFrame);
    const { scrollHeight } = document.documentElement;
    for (let at = 0; at < scrollHeight; at += scrollHeight / 300) {
      scrollTo(0, at);
      await frame();
    }
    scrollTo(0, 0);
  });
}

/** Starts a turn, and answers how long it took until the page showed it, in milliseconds. */
async function change(
  page: Page,
  client: ReturnType<typeof openConnection>["client"],
  n: number,
): Promise<number> {
  const prompt = `Number ${n} comes.`;
  const seen = page.getByRole("link", { name: prompt, exact: true }).waitFor();
  const began = performance.now();
  for await (const { event } of client.runTurn({ prompt })) {
    if (event?.kind.case !== "checkpoint") continue;
    await seen;
    const waited = performance.now() - began;
    await client.cancelTurn({ turnId: event.turnId });
    return waited;
  }
  throw new Error("the turn told nothing");
}
