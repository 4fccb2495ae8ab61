import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { beyondSignIn, peopleStage, SCRIPT, startTo } from "./people.ts";

const PEOPLE = { alice: "operator", eve: "viewer" };

describe.skipIf(lacksBrowser)(`keys of the console${withoutBrowser}`, () => {
  it("open a palette that finds commands, turns and sessions", async () => {
    await using running = await peopleStage(PEOPLE, { script: SCRIPT });
    const { turnId } = await startTo(
      running.clientOf("alice"),
      "Say hello to the gateway",
      "result",
    );
    const page = await running.openAs("alice");
    await page.keyboard.press("Control+k");
    const field = page.getByRole("combobox", { name: "What to do, or words of a prompt" });
    await field.waitFor();
    await page.getByRole("option", { name: "Show the keys" }).waitFor();
    await field.fill("gateway");
    await page.getByRole("group", { name: "Sessions" }).getByRole("option").waitFor();
    await page.getByRole("option", { name: "Say hello to the gateway Succeeded" }).waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/turns/${turnId}`);

    await page.keyboard.press("/");
    await field.fill("desk");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/");
    await field.waitFor({ state: "detached" });
    expect(beyondSignIn(running.complaints)).toEqual([]);
  });

  it("step through rows and open them, and do nothing while somebody types", async () => {
    await using running = await peopleStage(PEOPLE, { script: SCRIPT });
    for (const prompt of ["Say one", "Say two"]) {
      await startTo(running.clientOf("alice"), prompt, "result");
    }
    const page = await running.openAs("alice");
    await page.getByRole("link", { name: "Say one" }).waitFor();
    await page.keyboard.press("n");
    const prompt = page.getByRole("textbox", { name: "What is to be done?" });
    await page.keyboard.type("jk?n/gd");
    expect(await prompt.inputValue()).toBe("jk?n/gd");
    await prompt.fill("");
    await prompt.blur();
    const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim());
    await page.keyboard.press("j");
    expect(await focused()).toBe("Say two");
    await page.keyboard.press("j");
    expect(await focused()).toBe("Say one");
    await page.keyboard.press("k");
    expect(await focused()).toBe("Say two");
    await page.keyboard.press("ArrowDown");
    expect(await focused()).toBe("Say one");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/turns/*");
    await page.getByRole("heading", { name: "Say one" }).first().waitFor();
    await expect
      .poll(async () => {
        // The second one is to come soon, which a busy machine may miss.
        for (const key of ["g", "d"]) await page.keyboard.press(key);
        return new URL(page.url()).pathname;
      })
      .toBe("/");
  });

  it("are listed, and those of a character can be turned off for good", async () => {
    await using running = await peopleStage(PEOPLE, { script: SCRIPT });
    const page = await running.openAs("alice");
    await page.getByText("Nothing runs.").waitFor();
    await page.keyboard.press("?");
    const dialog = page.getByRole("dialog", { name: "Keys" });
    await dialog.getByText("New prompt").waitFor();
    await dialog.getByRole("checkbox", { name: /Keys of a single letter/ }).uncheck();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.reload();
    await page.getByText("Nothing runs.").waitFor();
    await page.keyboard.press("?");
    await page.keyboard.press("Control+k");
    await page.getByRole("dialog", { name: "Commands and search" }).waitFor();
    expect(await dialog.count()).toBe(0);
  });

  it("offer a viewer no prompt", async () => {
    await using running = await peopleStage(PEOPLE, { script: SCRIPT });
    const page = await running.openAs("eve");
    await page.getByText("Nothing runs.").waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).getByText("To the desk").waitFor();
    expect(await page.getByText("New prompt").count()).toBe(0);
  });
});
