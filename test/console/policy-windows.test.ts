import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { createBreakglassClient } from "#client";
import { openGrpcConnection } from "#client/node";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { eventually } from "../support/processes.ts";
import { type Stage, stage } from "./console.ts";
import { endTurn } from "./turn-pages.ts";

const WINDOWS = 7;
const ENDLESS = { turns: [{ steps: [{ text: "It begins." }, { delay: "10m" }] }] };

function client({ fake }: Stage) {
  const connection = openGrpcConnection(fake.url, undefined);
  const called = createBreakglassClient(connection.transport);
  return { client: called, [Symbol.dispose]: () => connection.close() };
}

/** Starts a turn that goes on, and answers its id. */
async function start(running: Stage, prompt: string): Promise<string> {
  using caller = client(running);
  for await (const { event } of caller.client.runTurn({ prompt })) return event!.turnId;
  throw new Error("the turn told nothing");
}

/** The calls of a method that pages have begun and that have not ended. */
function openCalls(method: string) {
  const open = new Map<Page, number>();
  return {
    follow(page: Page) {
      const count = (change: number) => open.set(page, (open.get(page) ?? 0) + change);
      const isOne = (request: { url(): string }) => request.url().includes(`/${method}`);
      page.on("request", (request) => isOne(request) && count(1));
      for (const end of ["requestfinished", "requestfailed"] as const)
        page.on(end as "requestfinished", (request) => isOne(request) && count(-1));
    },
    of: () => [...open.values()],
  };
}

describe.skipIf(lacksBrowser)(`many windows of the console${withoutBrowser}`, () => {
  it("share one watch, and a cancel gets through from each over HTTP/1.1", async () => {
    await using running = await stage({ script: ENDLESS });
    const person = await running.newPerson();
    const watches = openCalls("WatchTurns");
    const pages: Page[] = [];
    for (let index = 0; index < WINDOWS; index++) {
      const turnId = await start(running, `Turn ${index}.`);
      const page = await person.newPage();
      watches.follow(page);
      await page.goto(`${running.fake.url}/turns/${turnId}`);
      await page.getByText("It begins.").first().waitFor();
      pages.push(page);
    }
    expect(watches.of().filter((count) => count > 0)).toEqual([1]);
    for (const page of [pages[0]!, pages[3]!, pages[6]!]) {
      await endTurn(page);
      await page.getByText("Canceled").first().waitFor();
    }
    expect(running.complaints).toEqual([]);
  });

  it("show the same, and another one goes on where the one that watched is closed", async () => {
    await using running = await stage({ script: ENDLESS });
    const person = await running.newPerson();
    const watches = openCalls("WatchTurns");
    const pages: Page[] = [];
    for (let index = 0; index < 3; index++) {
      const page = await person.newPage();
      watches.follow(page);
      await page.goto(running.fake.url);
      pages.push(page);
    }
    await start(running, "The first of all.");
    for (const page of pages) await page.getByText("The first of all.").first().waitFor();
    for (const name of ["The second.", "The third."]) {
      await pages.shift()!.close();
      await start(running, name);
      for (const page of pages) {
        await page.getByText(name).first().waitFor();
        expect(await page.getByText("The first of all.").count()).toBe(1);
      }
    }
    const late = await running.open("/", person);
    for (const name of ["The first of all.", "The second.", "The third."])
      await late.getByText(name).first().waitFor();
    expect(running.complaints).toEqual([]);
  });

  it("are told together that the server is away, and go on together", async () => {
    await using running = await stage({ script: ENDLESS });
    const person = await running.newPerson();
    const pages = [await running.open("/", person), await running.open("/", person)];
    await start(running, "Before.");
    for (const page of pages) await page.getByText("Before.").first().waitFor();
    await running.fake.kill();
    for (const page of pages)
      await page
        .getByText(/Reconnecting since/)
        .first()
        .waitFor();
    await running.fake.start();
    await start(running, "Behind.");
    for (const page of pages) {
      await page.getByText("Behind.").first().waitFor();
      const lost = page.getByText(/Reconnecting since/);
      await eventually(
        () => lost.count(),
        (count) => count === 0,
      );
    }
    expect(running.complaints.filter((text) => !/net::ERR_/.test(text))).toEqual([]);
  });
});
