import type { BrowserContext, Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { startBuildProxy } from "./build-proxy.ts";
import { stage } from "./console.ts";
import { copied } from "./copies.ts";
import { clientAt, SCRIPT, startTo } from "./people.ts";

/** A page behind a proxy that can come to have another build, and a turn that has ended. */
async function beforeUpdate() {
  await using cleanup = new AsyncDisposableStack();
  const proxy = cleanup.use(await startBuildProxy());
  const settings = { BREAKGLASS_ALLOWED_HOSTS: proxy.host };
  const running = cleanup.use(await stage({ script: SCRIPT, settings }));
  proxy.forwardTo(running.fake.url);
  await startTo(clientAt(running.fake.url), "Say hello", "result");
  const owned = cleanup.move();
  return { proxy, running, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The scripts of the page's document: those of the other build end in 2. */
const scriptsOf = (page: Page) =>
  page.evaluate(() => Array.from(document.scripts, ({ src }) => new URL(src).pathname));
const isOther = (paths: readonly string[]) => paths.every((path) => path.endsWith("2.js"));
const openHello = (page: Page) => page.getByRole("link", { name: "Say hello" }).click();
const hello = (page: Page) =>
  page.getByRole("region", { name: "What happened" }).getByText("Done: Say hello").first();

/** Waits until the browser has the other build, for when no page of the first is open any more. */
async function otherInstalled(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const registration = (await navigator.serviceWorker.getRegistration())!;
    await registration.update();
    while (registration.waiting === null) await new Promise((resolve) => setTimeout(resolve, 50));
  });
}

describe.skipIf(lacksBrowser)(`a console whose server is updated${withoutBrowser}`, () => {
  it("goes on with its own files while it is open, and is the new one with the next load", async () => {
    await using there = await beforeUpdate();
    const { proxy, running } = there;
    const person: BrowserContext = await running.newPerson();
    const page = await running.open(proxy.url, person);
    await page.getByRole("link", { name: "Say hello" }).waitFor();
    await copied(page);
    expect(isOther(await scriptsOf(page))).toBe(false);

    proxy.update();
    // What it has not loaded yet comes from the copy: the server does not have it any more.
    await openHello(page);
    await hello(page).waitFor();
    expect(isOther(await scriptsOf(page))).toBe(false);
    await otherInstalled(page);
    await page.reload();
    await hello(page).waitFor();
    expect(isOther(await scriptsOf(page))).toBe(true);
    await page.goto(proxy.url);
    await page.getByRole("link", { name: "Say hello" }).waitFor();
    await openHello(page);
    await hello(page).waitFor();

    // Without the server it is the new one too, once no page of the old one is open.
    await page.goto("about:blank");
    const next = await person.newPage();
    await next.goto(proxy.url);
    await next.getByRole("link", { name: "Say hello" }).waitFor();
    await copied(next);
    await running.fake.kill();
    await proxy[Symbol.asyncDispose]();
    await next.reload();
    await next.getByText(/has not answered since/).waitFor();
    expect(isOther(await scriptsOf(next))).toBe(true);
    const others = running.complaints.filter((text) => !/net::ERR_|status of 50/.test(text));
    expect(others).toEqual([]);
  });

  it("says what to do where a part of it is not there any more, and is the new one then", async () => {
    await using there = await beforeUpdate();
    const { proxy, running } = there;
    const person = await running.newPerson();
    // As over plain HTTP from another machine: there the browser has no copy.
    await person.addInitScript(() => {
      if (isSecureContext) ServiceWorkerContainer.prototype.register = () => Promise.reject();
    });
    const page = await running.open(proxy.url, person);
    await page.getByRole("link", { name: "Say hello" }).waitFor();
    proxy.update();
    await openHello(page);
    await page.getByRole("alert").getByText("A part of this page is not there.").waitFor();
    await page.getByRole("button", { name: "Load the page again" }).click();
    await hello(page).waitFor();
    expect(isOther(await scriptsOf(page))).toBe(true);
    expect(running.complaints.filter((text) => !/status of 404/.test(text))).toEqual([]);
  });
});
