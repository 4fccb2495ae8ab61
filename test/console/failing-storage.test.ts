import type { BrowserContext } from "playwright-core";
import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { stage } from "./console.ts";
import { copied } from "./copies.ts";
import { startTurn } from "./turn-pages.ts";

const STEPS = [{ text: "Before." }, { delay: "2s" }, { text: "After." }];

/** As a browser is whose user lets no page keep anything. */
async function keepNothing(person: BrowserContext): Promise<void> {
  await person.addInitScript(() => {
    if (!isSecureContext) return; // before the page
    const refuse = (): never => {
      throw new DOMException("denied", "SecurityError");
    };
    for (const name of ["localStorage", "sessionStorage"]) {
      Object.defineProperty(globalThis, name, { get: refuse });
    }
    IDBFactory.prototype.open = refuse;
    LockManager.prototype.request = async () => refuse();
    ServiceWorkerContainer.prototype.register = async () => refuse();
  });
}

describe.skipIf(lacksBrowser)(`the console where storage fails${withoutBrowser}`, () => {
  it("shows the desk and turns where the browser keeps nothing and has no locks", async () => {
    await using running = await stage({ script: { turns: [{ steps: STEPS }] } });
    const person = await running.newPerson();
    await keepNothing(person);
    const page = await running.open("/", person);
    await page.getByRole("textbox", { name: "What is to be done?" }).fill("Go.");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/turns\//);
    await page.getByText("After.").first().waitFor();
    await page.getByRole("link", { name: "breakglass" }).click();
    await page.getByText("Go.").first().waitFor();
    expect(running.complaints).toEqual([]);
  });

  it("goes on with a turn where the browser's database never answers", async () => {
    await using running = await stage({ script: { turns: [{ steps: STEPS }] } });
    const person = await running.newPerson();
    await person.addInitScript(() => {
      IDBFactory.prototype.open = () => ({}) as IDBOpenDBRequest;
    });
    const page = await running.open(`/turns/${await startTurn(running.fake, "Go.")}`, person);
    await page.getByText("Before.").first().waitFor();
    await running.fake.cut();
    await page.getByText("After.").first().waitFor();
  });

  it("opens where the copy of the page cannot be read", async () => {
    await using running = await stage();
    const person = await running.newPerson();
    const page = await running.open("/", person);
    await copied(page);
    const [worker] = person.serviceWorkers();
    await worker!.evaluate(() => {
      CacheStorage.prototype.match = () => Promise.reject(new DOMException("gone", "UnknownError"));
    });
    await page.reload();
    await page.getByRole("textbox", { name: "What is to be done?" }).waitFor();
    expect(running.complaints).toEqual([]);
  });
});
