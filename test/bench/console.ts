import { createConnectTransport } from "@connectrpc/connect-node";
import type { Browser, Page } from "playwright-core";
import { createBreakglassClient, streamTurn } from "#client";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { type Fake, startFake } from "../../src/fake/fake.ts";
import build from "../console/built.ts";
import { launchBrowser } from "../support/browser.ts";
import { measureDesk } from "./console-desk.ts";
import { LAST_WORDS, SCRIPT } from "./console-script.ts";
import type { Figure } from "./figure.ts";
import { memoryOf, shareNiceness, tasksDuring } from "./page-tasks.ts";

const MIB = 1024 * 1024;
const OPEN_MS = 2000;
const TASK_MS = 100;
const MEMORY_BYTES = 300 * MIB;
const TYPED = "Then restart the gateway, and look whether it listens. ".repeat(4);
const KEY_MS = 30;
/** Nothing of it takes longer, but where something is wrong. */
const PATIENCE_MS = 60_000;

/**
 * What the console's page takes of a browser for a long turn: how long until its end is seen, the longest task while it is scrolled through and
 * while somebody types and text is written, and its memory; and for a desk of a thousand turns.
 */
export async function* measureConsole(): AsyncGenerator<Figure> {
  build();
  await using cleanup = new AsyncDisposableStack();
  const fake = cleanup.use(await startFake({ script: SCRIPT as never }));
  const browser = await launchBrowser();
  cleanup.defer(() => browser.close());
  await shareNiceness(browser);
  yield* measureEnded(browser, fake);
  yield* measureLive(browser, fake);
  yield* measureDesk(browser);
}

async function* measureEnded(browser: Browser, fake: Fake): AsyncGenerator<Figure> {
  const { turnId } = await startTurn(fake, "look");
  const page = await pageOf(browser);
  // The page itself is there, as it is where somebody comes from the desk.
  await page.goto(fake.url);
  await page.getByRole("textbox").first().waitFor();
  const began = performance.now();
  await follow(page, `/turns/${turnId}`);
  await page.getByRole("heading", { name: "Result" }).waitFor();
  yield figure("a long turn is open at its end", performance.now() - began, OPEN_MS);
  const { longest, longestCpu } = await tasksDuring(browser, page, () => scrollThrough(page));
  yield figure("longest task while scrolling", longest, TASK_MS);
  yield figure("longest task while scrolling, its processor time", longestCpu, TASK_MS);
  yield {
    ...figure("memory of the page", await memoryOf(browser, page), MEMORY_BYTES),
    unit: "bytes",
  };
  await page.close();
}

async function* measureLive(browser: Browser, fake: Fake): AsyncGenerator<Figure> {
  const { turnId, approvalId } = await startTurn(fake, "write");
  const page = await pageOf(browser);
  await page.goto(`${fake.url}/turns/${turnId}`);
  await page.getByRole("button", { name: "Allow" }).first().waitFor();
  const decision = { case: "allow", value: {} } as const;
  await clientOf(fake).resolveApproval({ turnId, approvalId, decision });
  await page.getByText(/word\d/).waitFor();
  const field = page.getByRole("textbox").first();
  await field.click();
  const { longest, longestCpu, key } = await tasksDuring(browser, page, async () => {
    await field.pressSequentially(TYPED, { delay: KEY_MS });
  });
  if ((await field.inputValue()) !== TYPED) throw new Error("the page has not what was typed");
  if (await page.getByText(LAST_WORDS).isVisible())
    throw new Error("all was written before all was typed: the machine is too busy");
  yield figure("longest task while typing", longest, TASK_MS);
  yield figure("longest task while typing, its processor time", longestCpu, TASK_MS);
  yield figure("longest wait for a key to be seen", key, TASK_MS);
  await page.close();
}

function figure(name: string, value: number, limit: number): Figure {
  return { figure: `console: ${name}`, value, unit: "ms", limit, bar: { atMost: 1 } };
}

async function pageOf(browser: Browser): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(PATIENCE_MS);
  return page;
}

/** Goes there as by a link of the page. */
async function follow(page: Page, path: string): Promise<void> {
  await page.evaluate((href) => {
    const link = document.createElement("a");
    link.href = href;
    document.body.append(link);
    link.click();
    link.remove();
  }, path);
}

function clientOf({ url }: Fake) {
  return createBreakglassClient(createConnectTransport({ baseUrl: url, httpVersion: "1.1" }));
}

/** Starts one, and answers once it has ended or waits for an approval. */
async function startTurn(fake: Fake, prompt: string) {
  let turnId = "";
  const run = { prompt, permissionMode: PermissionMode.ASK };
  const options = { signal: AbortSignal.timeout(PATIENCE_MS) };
  for await (const event of streamTurn(clientOf(fake), { run }, options)) {
    turnId = event.turnId;
    if (event.kind.case !== "approvalRequest") continue;
    return { turnId, approvalId: event.kind.value.approvalId };
  }
  return { turnId, approvalId: "" };
}

/** Through all of it by steps of a screen, the large outputs opened. */
async function scrollThrough(page: Page): Promise<void> {
  const log = page.getByRole("region", { name: "What happened" });
  await log.focus();
  await page.keyboard.press("Home");
  for (const row of [1, 2]) {
    await page
      .getByRole("button", { name: /^Show all/ })
      .first()
      .click();
    await page.waitForTimeout(row * 200);
  }
  await log.evaluate(async (element) => {
    const frame = () => new Promise(requestAnimationFrame);
    const step = Math.max(element.clientHeight * 0.9, element.scrollHeight / 600);
    for (let at = 0; at < element.scrollHeight; at += step) {
      element.scrollTop = at;
      await frame();
    }
  });
}
