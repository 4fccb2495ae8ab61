import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { stage } from "./console.ts";
import { clientAt, startTo } from "./people.ts";
import { allow } from "./turn-pages.ts";

const SCRIPT = {
  turns: [
    {
      when: "two",
      steps: [
        { repeat: { times: 20, steps: [{ text: "Look {{n}}." }] } },
        {
          approval: {
            tool: "Bash",
            input: { command: "true" },
            allowed: [{ repeat: { times: 20, steps: [{ text: "Now look {{n}}." }] } }],
          },
        },
        { failure: "hang" },
      ],
    },
    { steps: [{ text: "It begins." }, { failure: "hang" }] },
  ],
} as const;

/** How many streams of a kind a page has open. */
function streamsOf(page: Page, method: "AttachTurn" | "WatchTurns"): () => number {
  let open = 0;
  const isOne = (request: { url(): string }) => request.url().endsWith(`/${method}`);
  page.on("request", (request) => isOne(request) && open++);
  for (const end of ["requestfinished", "requestfailed"] as const)
    page.on(end as "requestfinished", (request) => isOne(request) && open--);
  return () => open;
}

/** Has a page be hidden, or shown, as its browser tells it. */
function hide(page: Page, isHidden: boolean): Promise<void> {
  return page.evaluate((hidden) => {
    const state = hidden ? "hidden" : "visible";
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
}

describe.skipIf(lacksBrowser)(`a window of the console that nobody sees${withoutBrowser}`, () => {
  it("lets its turn's stream go after 30 s, and goes on behind its last event", async () => {
    await using running = await stage({ script: SCRIPT });
    const { turnId } = await startTo(clientAt(running.fake.url), "two", "approvalRequest");
    const page = await (await running.newPerson()).newPage();
    await page.clock.install();
    const streams = streamsOf(page, "AttachTurn");
    await page.goto(`${running.fake.url}/turns/${turnId}`);
    await page.getByText("Look 20.", { exact: true }).waitFor();
    expect(streams()).toBe(1);

    // Seen again soon enough, nothing happens.
    await hide(page, true);
    await page.clock.fastForward(29_000);
    await hide(page, false);
    await page.clock.fastForward(29_000);
    // Where the server seemed to be silent for as long, it may have been opened anew.
    await expect.poll(streams).toBe(1);

    await hide(page, true);
    await page.clock.fastForward(31_000);
    await expect.poll(streams).toBe(0);
    await allow(running.fake, turnId);
    // The turn has gone on, and the page has not.
    await expect
      .poll(async () => (await clientAt(running.fake.url).getTurn({ turnId })).turn!.lastSequence)
      .toBeGreaterThan(40);
    for (let n = 0; n < 3; n++) {
      // However long: it is no connection that was lost, and is tried again.
      await page.clock.fastForward(10_000);
      await page.evaluate(() => fetch("/healthz").then((response) => response.text()));
    }
    expect(await page.getByText(/^Now look/).count()).toBe(0);
    expect(streams()).toBe(0);

    await hide(page, false);
    await page.getByText("Now look 20.", { exact: true }).waitFor();
    await expect.poll(streams).toBe(1);
    expect(await page.getByText("Now look 20.", { exact: true }).count()).toBe(1);
    // Nobody is told of a loss: there was none.
    expect(await page.getByText(/Reconnecting since/).count()).toBe(0);
    expect(running.complaints).toEqual([]);
  });
});

describe.skipIf(lacksBrowser)(`the window that watches for all${withoutBrowser}`, () => {
  it("gives the watch to another when its browser freezes it, and is told all when it wakes", async () => {
    await using running = await stage({ script: SCRIPT });
    const client = clientAt(running.fake.url);
    const person = await running.newPerson();
    const pages: Page[] = [];
    const watches: (() => number)[] = [];
    for (let n = 0; n < 3; n++) {
      const page = await person.newPage();
      watches.push(streamsOf(page, "WatchTurns"));
      await page.goto(running.fake.url);
      await page.getByText("Nothing runs.").waitFor();
      pages.push(page);
    }
    const [leader, ...others] = pages;
    const watching = () => watches.map((open) => open());
    await expect.poll(watching).toEqual([1, 0, 0]);
    // The debugger freezes a page that is seen too, but tells it nothing.
    await leader!.evaluate(() => document.dispatchEvent(new Event("freeze")));
    const debugged = await person.newCDPSession(leader!);
    await debugged.send("Page.setWebLifecycleState", { state: "frozen" });
    await expect.poll(() => watching()[0]).toBe(0);
    await expect.poll(() => watching().reduce((sum, open) => sum + open)).toBe(1);
    await startTo(client, "While it slept.", "text");
    for (const page of others) await page.getByRole("link", { name: "While it slept." }).waitFor();
    await debugged.send("Page.setWebLifecycleState", { state: "active" });
    await leader!.evaluate(() => document.dispatchEvent(new Event("resume")));
    await leader!.getByRole("link", { name: "While it slept." }).waitFor();
    await startTo(client, "Behind it.", "text");
    for (const page of pages) {
      await page.getByRole("link", { name: "Behind it." }).waitFor();
      expect(await page.getByRole("link", { name: "While it slept." }).count()).toBe(1);
    }
    expect(running.complaints).toEqual([]);
  });

  it("loses the watch where it says nothing any more, as one does that hangs", async () => {
    await using running = await stage({ script: SCRIPT });
    const client = clientAt(running.fake.url);
    const person = await running.newPerson();
    const leader = await running.open("/", person);
    await leader.getByText("Nothing runs.").waitFor();
    const others: Page[] = [];
    for (let n = 0; n < 2; n++) {
      const page = await person.newPage();
      await page.clock.install();
      await page.goto(running.fake.url);
      await page.getByText("Nothing runs.").waitFor();
      others.push(page);
    }
    // It keeps the lock, and the others hear nothing of it.
    await leader.evaluate(() => {
      const { postMessage } = BroadcastChannel.prototype;
      BroadcastChannel.prototype.postMessage = () => {};
      addEventListener("wake", () => (BroadcastChannel.prototype.postMessage = postMessage));
    });
    await startTo(client, "While it hung.", "text");
    for (const page of others) await page.clock.fastForward(61_000);
    for (const page of others) await page.getByRole("link", { name: "While it hung." }).waitFor();
    await leader.evaluate(() => dispatchEvent(new Event("wake")));
    await leader.getByRole("link", { name: "While it hung." }).waitFor();
    await startTo(client, "Behind it.", "text");
    for (const page of [leader, ...others]) {
      await page.getByRole("link", { name: "Behind it." }).waitFor();
      expect(await page.getByRole("link", { name: "While it hung." }).count()).toBe(1);
    }
    expect(running.complaints).toEqual([]);
  });
});
