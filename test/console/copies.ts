import type { Page } from "playwright-core";
import { expect } from "vitest";

/** Waits until the browser has its copy of the page. */
export async function copied(page: Page): Promise<void> {
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    while (navigator.serviceWorker.controller === null)
      await new Promise((resolve) => setTimeout(resolve, 50));
  });
}

/** The keys of what the browser keeps for when the server is away. */
export function keptIn(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    // To open one that is not there would make it, without what the page has in it.
    if (!(await indexedDB.databases()).some(({ name }) => name === "breakglass")) return [];
    return await new Promise<string[]>((resolve) => {
      const asked = indexedDB.open("breakglass");
      asked.onerror = () => resolve([]);
      asked.onsuccess = () => {
        const database = asked.result;
        if (!database.objectStoreNames.contains("copy")) return resolve([]);
        const keys = database.transaction("copy").objectStore("copy").getAllKeys();
        keys.onsuccess = () => {
          database.close();
          resolve(keys.result.map(String));
        };
      };
    });
  });
}

/** Waits until one of them is such. */
export async function keeps(page: Page, what: RegExp): Promise<void> {
  await expect.poll(() => keptIn(page)).toContainEqual(expect.stringMatching(what));
}
