import type { Locator, Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { stage } from "./console.ts";
import { beyondSignIn, clientAt, SCRIPT, startTo } from "./people.ts";

/** Of JavaScript, as it is sent. */
const MAX_BYTES = 150_000;

/** The compressed bytes of the scripts that had come when a view showed its content. */
async function scriptBytes(page: Page, url: string, content: (page: Page) => Locator) {
  const sizes: Promise<number>[] = [];
  page.on("requestfinished", (request) => {
    if (request.resourceType() !== "script") return;
    sizes.push(request.sizes().then(({ responseBodySize }) => responseBodySize));
  });
  await page.goto(url, { waitUntil: "commit" });
  await content(page).waitFor();
  const loaded = await Promise.all(sizes);
  return loaded.reduce((sum, size) => sum + size, 0);
}

describe.skipIf(lacksBrowser)(`what the console loads first${withoutBrowser}`, () => {
  it.each([
    ["the desk", () => "/", "Say hello"],
    ["a turn", (turnId: string) => `/turns/${turnId}`, "Done: Say hello"],
    ["a session", (_: string, sessionId: string) => `/sessions/${sessionId}`, "Say hello"],
  ])("is at most 150 kB of scripts for %s", async (_, pathOf, text) => {
    await using running = await stage({ script: SCRIPT });
    const { turnId, sessionId } = await startTo(clientAt(running.fake.url), "Say hello", "result");
    const person = await running.newPerson();
    const page = await person.newPage();
    const url = new URL(pathOf(turnId, sessionId), running.fake.url).href;
    const bytes = await scriptBytes(page, url, () => page.getByText(text, { exact: true }).first());
    expect(bytes).toBeGreaterThan(50_000);
    expect(bytes).toBeLessThanOrEqual(MAX_BYTES);
    expect(beyondSignIn(running.complaints)).toEqual([]);
  });
});
