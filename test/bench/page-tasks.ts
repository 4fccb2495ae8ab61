import { readFileSync, writeFileSync } from "node:fs";
import { getPriority } from "node:os";
import type { Browser, Page } from "playwright-core";

/** What kept a page from answering, in milliseconds. */
export interface PageTasks {
  /** The longest task of the page's main thread, by the clock; 0: none took 50 ms, and the browser tells of no shorter ones. */
  readonly longest: number;
  /** The most processor time that one of its tasks took: on a busy machine the rest of it was spent waiting for a processor. */
  readonly longestCpu: number;
  /** From a key that was pressed to the picture that shows it, at most; by 8 ms, and 0 for less than 16. */
  readonly key: number;
}

interface Watched {
  longest: number;
  key: number;
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** Does something with a page, and answers with what kept the page busy meanwhile. */
export async function tasksDuring(
  browser: Browser,
  page: Page,
  work: () => Promise<void>,
): Promise<PageTasks> {
  await watch(page);
  await browser.startTracing(page, { categories: ["toplevel"] });
  await work();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as {
    traceEvents: readonly TraceEvent[];
  };
  return { ...(await watchedOn(page)), longestCpu: longestCpuOf(traceEvents) };
}

/**
 * Gives the browser's processes the priority of this one. The browser is of a session of its own, and Linux shares the processors among sessions
 * first: `nice` would reach it not at all.
 */
export async function shareNiceness(browser: Browser): Promise<void> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  for (const id of ["self", ...processInfo.map(({ id }) => id)]) {
    try {
      writeFileSync(`/proc/${id}/autogroup`, String(getPriority()));
    } catch {
      // No such groups here, or none that this user may change.
    }
  }
}

/** What the page's process holds beyond what it shares with others: its JavaScript, its document, its pictures. */
export async function memoryOf(browser: Browser, page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const all = await browser.newBrowserCDPSession();
  const { processInfo } = await all.send("SystemInfo.getProcessInfo");
  const renderers = processInfo.filter(({ type }) => type === "renderer");
  return Math.max(...renderers.map(({ id }) => anonymousBytesOf(id)));
}

async function watch(page: Page): Promise<void> {
  await page.evaluate(() => {
    const watched: Watched = { longest: 0, key: 0 };
    Object.assign(globalThis, { watched });
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) {
        watched.longest = Math.max(watched.longest, duration);
      }
    }).observe({ type: "longtask" });
    new PerformanceObserver((list) => {
      for (const { name, duration } of list.getEntries()) {
        if (name.startsWith("key")) watched.key = Math.max(watched.key, duration);
      }
    }).observe({ type: "event", durationThreshold: 16 } as PerformanceObserverInit);
  });
}

async function watchedOn(page: Page): Promise<Watched> {
  // Observers are told when the page is idle.
  await page.waitForTimeout(200);
  return page.evaluate(() => (globalThis as unknown as { watched: Watched }).watched);
}

function longestCpuOf(events: readonly TraceEvent[]): number {
  const isMain = ({ name, args }: TraceEvent) =>
    name === "thread_name" && args?.name === "CrRendererMain";
  const mains = new Set(events.filter(isMain).map(({ pid, tid }) => `${pid}/${tid}`));
  const times = events
    .filter(({ ph, name, pid, tid }) => {
      return ph === "X" && name.endsWith("RunTask") && mains.has(`${pid}/${tid}`);
    })
    .map(({ tdur = 0 }) => tdur / 1000);
  if (times.length === 0) throw new Error("the browser's trace has no task of the page");
  return times.reduce((most, time) => Math.max(most, time), 0);
}

function anonymousBytesOf(pid: number): number {
  const kib = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib) * 1024;
}
