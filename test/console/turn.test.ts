import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { stage } from "./console.ts";

describe.skipIf(lacksBrowser)(`a turn in the console${withoutBrowser}`, () => {
  it("is seen from its prompt to its result", async () => {
    await using running = await stage();
    const page = await running.open("/");
    await page.getByRole("textbox", { name: "What is to be done?" }).fill("Repair the gateway.");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/turns\/[\da-f-]{36}$/);
    await page.getByRole("heading", { name: "Repair the gateway." }).waitFor();
    await page.getByText("Repaired: the gateway listens on a port that exists.").first().waitFor();
    await page.getByText("Succeeded").waitFor();
    expect(running.complaints).toEqual([]);
  });
});
