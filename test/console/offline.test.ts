import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { stage } from "./console.ts";
import { copied, keeps, keptIn } from "./copies.ts";
import { signIn, storedIn, tokenStage } from "./tokens.ts";

const PROMPT = "What is to be done?";
const REPAIRED = "Repaired: the gateway listens on a port that exists.";

async function repair(page: Page): Promise<void> {
  await page.getByRole("textbox", { name: PROMPT }).fill("Repair the gateway.");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/turns\//);
  await page.getByText(REPAIRED).first().waitFor();
}

describe.skipIf(lacksBrowser)(`the console without its server${withoutBrowser}`, () => {
  it("opens with what was seen last, says so, and goes on once the server is back", async () => {
    await using running = await stage();
    const page = await running.open("/");
    await copied(page);
    await repair(page);
    await keeps(page, /^local\/events /);
    await keeps(page, /^local\/desk/);
    await running.fake.kill();
    await page.reload();
    await page.getByText(/has not answered since .* This is as of/).waitFor();
    await page.getByText(REPAIRED).first().waitFor();
    await page.goto(running.fake.url);
    await page.getByText(/has not answered since .* This is as of/).waitFor();
    await page.getByText("Repair the gateway.").first().waitFor();
    await running.fake.start();
    const away = page.getByText(/has not answered since/);
    await away.waitFor({ state: "detached" });
    await page.getByRole("textbox", { name: PROMPT }).waitFor();
    expect(running.complaints.filter((text) => !/net::ERR_/.test(text))).toEqual([]);
  });

  it("keeps nothing for a token that is not to be remembered", async () => {
    await using running = await tokenStage({ secret: "alice" });
    const page = await running.open("/");
    await signIn(page, "secret");
    await page.getByRole("textbox", { name: PROMPT }).waitFor();
    await copied(page);
    await repair(page);
    await running.fake.kill();
    await page.reload();
    await page.getByRole("heading", { name: "The server does not answer" }).waitFor();
    expect(await keptIn(page)).toEqual([]);
    expect(await storedIn(page)).toMatchObject({ local: [] });
    expect(running.unforeseen()).toEqual([]);
  });

  it("forgets it with who signs out, and shows it to nobody else", async () => {
    await using running = await tokenStage({ secret: "alice", other: "bob" });
    const person = await running.newPerson();
    const page = await running.open("/", person);
    await signIn(page, "secret", true);
    await page.getByRole("textbox", { name: PROMPT }).waitFor();
    await copied(page);
    await repair(page);
    await keeps(page, /^alice\/events /);
    // Somebody else in another tab, while the server is away.
    const bob = await person.newPage();
    await bob.goto(running.fake.url);
    await bob.getByRole("textbox", { name: PROMPT }).waitFor();
    await bob.evaluate(() => sessionStorage.setItem("breakglass.token", "other"));
    await running.fake.kill();
    await bob.reload();
    await bob.getByRole("heading", { name: "The server does not answer" }).waitFor();
    expect(await bob.getByText("Repair the gateway.").count()).toBe(0);
    await page.reload();
    await page.getByText(REPAIRED).first().waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("You are signed out.").waitFor();
    await expect.poll(() => keptIn(page)).toEqual([]);
    expect(running.unforeseen()).toEqual([]);
  });
});
