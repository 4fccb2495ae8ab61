import { readFileSync } from "node:fs";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { Browser, Page } from "playwright-core";
import { createBreakglassClient, streamTurn } from "#client";
import { type Fake, startFake } from "../../src/fake/fake.ts";
import build from "../console/built.ts";
import { launchBrowser } from "../support/browser.ts";
import type { Figure } from "./figure.ts";

const EVENTS = 20_000;
const MIB = 1024 * 1024;
const OPEN_MS = 2000;
const TASK_MS = 100;
const MEMORY_BYTES = 300 * MIB;
const PIECES = 1500;
/** The pieces come a hundred a second. */
const PIECE_MS = 10;
const TYPED = "Then restart the gateway, and look whether it listens. ".repeat(4);

/** A turn of twenty thousand events with an output of 2 MB and a line of 5 MB. */
const LONG = [
  { tool: { name: "Bash", input: { command: "cat big.log" }, output: lines(2e6) } },
  { tool: { name: "Bash", input: { command: "cat one-line" }, output: { size: "5MB" } } },
  {
    repeat: {
      times: Math.ceil(EVENTS / 4),
      steps: [
        {
          text: "Round **{{n}}**: I look at `gateway.conf`, and at [what](https://example.test) it says.",
        },
        {
          tool: {
            name: "Bash",
            input: { command: "grep -n port gateway.conf # {{n}}" },
            output: "12: port = 80800\n13: host = 0.0.0.0",
          },
        },
        { thinking: "The port is too high, so it cannot listen." },
      ],
    },
  },
];
const pieces = Array.from({ length: PIECES }, (_, n) => [
  n % 40 === 39 ? "written.\n\n" : `word${n} `,
  { delay: `${PIECE_MS}ms` },
]).flat();

/**
 * What the console's page takes of a browser for a long turn: how long until its end is seen, the longest task while it is scrolled through and
 * while somebody types and text is written, and its memory.
 */
export async function measureConsole(): Promise<Figure[]> {
  build();
  await using cleanup = new AsyncDisposableStack();
  const script = {
    turns: [
      { when: "write", steps: [...LONG, { delay: "20s" }, { pieces }, { delay: "10m" }] },
      { steps: LONG },
    ],
  };
  const fake = cleanup.use(await startFake({ script: script as never }));
  const browser = await launchBrowser();
  cleanup.defer(() => browser.close());
  const ended = await startTurn(fake, "look", true);
  const [opening, scrolling, memory] = await measureEnded(browser, fake, ended);
  const [typing, key] = await measureLive(browser, fake);
  return [
    {
      figure: "console: a long turn is open at its end",
      value: opening,
      unit: "ms",
      limit: OPEN_MS,
      bar: { atMost: 1 },
    },
    {
      figure: "console: longest task while scrolling",
      value: scrolling,
      unit: "ms",
      limit: TASK_MS,
      bar: { atMost: 1 },
    },
    {
      figure: "console: memory of the page",
      value: memory,
      unit: "bytes",
      limit: MEMORY_BYTES,
      bar: { atMost: 1 },
    },
    {
      figure: "console: longest task while typing",
      value: typing,
      unit: "ms",
      limit: TASK_MS,
      bar: { atMost: 1 },
    },
    {
      figure: "console: longest wait for a key",
      value: key,
      unit: "ms",
      limit: TASK_MS,
      bar: { atMost: 1 },
    },
  ];
}

async function measureEnded(browser: Browser, fake: Fake, turnId: string) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  // The page itself is there, as it is where somebody comes from the desk.
  await page.goto(fake.url);
  await page.getByRole("textbox").first().waitFor();
  const began = performance.now();
  await page.evaluate((path) => {
    const link = document.createElement("a");
    link.href = path;
    document.body.append(link);
    link.click();
    link.remove();
  }, `/turns/${turnId}`);
  await page.getByRole("heading", { name: "Result" }).waitFor();
  const opening = performance.now() - began;
  await watchTasks(page);
  await scrollThrough(page);
  const { longest } = await tasksOf(page);
  const memory = await memoryOf(browser, page);
  await page.close();
  return [opening, longest, memory] as const;
}

async function measureLive(browser: Browser, fake: Fake) {
  const turnId = await startTurn(fake, "write", false);
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(`${fake.url}/turns/${turnId}`);
  await page
    .getByText(/word\d/)
    .first()
    .waitFor({ timeout: 120_000 });
  const field = page.getByRole("textbox").first();
  await field.click();
  await watchTasks(page);
  await field.pressSequentially(TYPED, { delay: 30 });
  const { longest, key } = await tasksOf(page);
  await page.close();
  return [longest, key] as const;
}

/** Starts one; with `isToEnd` its end is waited for. */
async function startTurn({ url }: Fake, prompt: string, isToEnd: boolean): Promise<string> {
  const transport = createConnectTransport({ baseUrl: url, httpVersion: "1.1" });
  let id = "";
  for await (const event of streamTurn(createBreakglassClient(transport), { run: { prompt } })) {
    id = event.turnId;
    if (!isToEnd && event.sequence > EVENTS) break;
  }
  return id;
}

interface Watched {
  longest: number;
  key: number;
}

/** Tasks shorter than 50 ms count as none: the browser tells of no others. */
async function watchTasks(page: Page): Promise<void> {
  await page.evaluate(() => {
    const watched: Watched = { longest: 0, key: 0 };
    Object.assign(globalThis, { watched });
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) {
        watched.longest = Math.max(watched.longest, duration);
      }
    }).observe({ type: "longtask" });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as PerformanceEventTiming[]) {
        if (!entry.name.startsWith("key")) continue;
        watched.key = Math.max(watched.key, entry.processingEnd - entry.startTime);
      }
    }).observe({ type: "event", durationThreshold: 16 } as PerformanceObserverInit);
  });
}

async function tasksOf(page: Page): Promise<Watched> {
  await page.waitForTimeout(200);
  return page.evaluate(() => (globalThis as unknown as { watched: Watched }).watched);
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

/** What the page's process holds beyond what it shares with others: its JavaScript, its document, its pictures. */
async function memoryOf(browser: Browser, page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const all = await browser.newBrowserCDPSession();
  const { processInfo } = await all.send("SystemInfo.getProcessInfo");
  const renderers = processInfo.filter(({ type }) => type === "renderer");
  return Math.max(...renderers.map(({ id }) => anonymousBytesOf(id)));
}

function anonymousBytesOf(pid: number): number {
  const kib = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib) * 1024;
}

/** Lines of a log, so many bytes of them. */
function lines(bytes: number): string {
  const line = "\u001b[32mINFO\u001b[0m gateway: a connection from 10.0.0.1 was taken\n";
  return line.repeat(Math.ceil(bytes / line.length)).slice(0, Math.min(bytes, 3 * MIB - 1024));
}
