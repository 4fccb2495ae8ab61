import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { stage } from "./console.ts";
import { signIn, storedIn, tokenStage } from "./tokens.ts";

const PROMPT = "What is to be done?";

describe.skipIf(lacksBrowser)(`signing in at the console${withoutBrowser}`, () => {
  it("takes no token where the server takes none, and says who one is", async () => {
    await using running = await stage();
    const page = await running.open("/");
    await page.getByRole("textbox", { name: PROMPT }).waitFor();
    await page.getByText("local").first().waitFor();
    expect(await storedIn(page)).toMatchObject({ local: [] });
    expect(running.complaints).toEqual([]);
  });

  it("refuses a wrong token in words, and takes the right one, at the same address", async () => {
    await using running = await tokenStage({ secret: "alice" });
    const path = "/sessions/0191d1f0-0000-4000-8000-000000000003?principal=bob";
    const page = await running.open(path);
    await page.getByText("This server wants to know who you are.").waitFor();
    await signIn(page, "wrong");
    await page.getByRole("alert").getByText("does not take this token").waitFor();
    expect((await storedIn(page)).session).toEqual([]);
    expect(await page.getByLabel("Token", { exact: true }).inputValue()).toBe("");
    await signIn(page, "secret");
    await page.getByText("alice").first().waitFor();
    expect(page.url()).toBe(new URL(path, running.fake.url).href);
    // There is no such session, which may have been said by now.
    const others = running.unforeseen().filter((complaint) => !/status of 404/.test(complaint));
    expect(others).toEqual([]);
  });

  it("keeps a token for its tab alone, unless it is to be remembered", async () => {
    await using running = await tokenStage({ secret: "alice" });
    const person = await running.newPerson();
    const page = await running.open("/", person);
    await signIn(page, "secret");
    await page.getByRole("textbox", { name: PROMPT }).waitFor();
    await page.reload();
    await page.getByRole("textbox", { name: PROMPT }).waitFor();
    const kept = await storedIn(page);
    expect(kept.local).toEqual([]);
    expect(kept.session).toContain("breakglass.token=secret");
    expect(page.url()).not.toContain("secret");
    const other = await running.open("/", person);
    await signIn(other, "secret", true);
    await other.getByRole("textbox", { name: PROMPT }).waitFor();
    expect((await storedIn(other)).local).toContain("breakglass.token=secret");
    const third = await running.open("/", person);
    await third.getByRole("textbox", { name: PROMPT }).waitFor();
    expect(running.unforeseen()).toEqual([]);
  });

  it("shows nothing more once its token is revoked, and comes back to the same address", async () => {
    await using running = await tokenStage({ secret: "alice" });
    const page = await running.open("/");
    await signIn(page, "secret", true);
    await page.getByRole("textbox", { name: PROMPT }).fill("Repair the gateway.");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/turns\//);
    const shown = page.getByText("Repaired: the gateway listens on a port that exists.").first();
    await shown.waitFor();
    const address = page.url();
    await running.setTokens({ another: "alice" });
    // The server ends what is open.
    await page.getByRole("alert").getByText("does not take this token").waitFor();
    await shown.waitFor({ state: "detached" });
    expect(await storedIn(page)).toMatchObject({ local: [] });
    await signIn(page, "another");
    await shown.waitFor();
    expect(page.url()).toBe(address);
    expect(running.unforeseen()).toEqual([]);
  });

  it("signs out in the middle of what is shown, where a call is refused", async () => {
    await using running = await tokenStage({ secret: "alice" });
    const page = await running.open("/");
    await signIn(page, "secret");
    const prompt = page.getByRole("textbox", { name: PROMPT });
    await prompt.fill("Repair the gateway.");
    await running.setTokens({ another: "alice" });
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("does not take this token").waitFor();
    await prompt.waitFor({ state: "detached" });
    expect((await storedIn(page)).session.join()).not.toContain("secret");
    expect(running.unforeseen()).toEqual([]);
  });

  it("signs out in all windows of the same person, and of nobody else", async () => {
    await using running = await tokenStage({ secret: "alice", other: "bob" });
    const person = await running.newPerson();
    const one = await running.open("/", person);
    await signIn(one, "secret", true);
    await one.getByRole("textbox", { name: PROMPT }).waitFor();
    const two = await running.open("/", person);
    await two.getByRole("textbox", { name: PROMPT }).waitFor();
    await two.evaluate(() => sessionStorage.setItem("breakglass.of.alice/draft", "half a thought"));
    await two.evaluate(() => sessionStorage.setItem("breakglass.of.alicette/draft", "hers"));
    const bob = await running.open("/", person);
    await bob.getByRole("textbox", { name: PROMPT }).waitFor();
    await bob.evaluate(() => sessionStorage.setItem("breakglass.token", "other"));
    await bob.reload();
    await bob.getByText("bob").first().waitFor();
    await one.getByRole("button", { name: "Sign out" }).click();
    for (const page of [one, two]) {
      await page.getByText("You are signed out.").waitFor();
      const { local, session } = await storedIn(page);
      expect([...local, ...session].filter((entry) => /alice\/|secret/.test(entry))).toEqual([]);
    }
    expect((await storedIn(two)).session).toContain("breakglass.of.alicette/draft=hers");
    await bob.getByRole("textbox", { name: PROMPT }).waitFor();
    expect(running.unforeseen()).toEqual([]);
  });

  it("forgets a draft with who signs out", async () => {
    await using running = await tokenStage({ secret: "alice" });
    const page = await running.open("/");
    await signIn(page, "secret", true);
    await page.getByRole("textbox", { name: PROMPT }).fill("half a thought");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("You are signed out.").waitFor();
    await signIn(page, "secret");
    await page.getByRole("textbox", { name: PROMPT }).waitFor();
    expect(await page.getByRole("textbox", { name: PROMPT }).inputValue()).toBe("");
  });

  it("says that the server does not answer, and goes on by itself once it does", async () => {
    await using running = await tokenStage({ secret: "alice" });
    const person = await running.newPerson();
    const page = await running.open("/", person);
    await signIn(page, "secret");
    await page.getByRole("textbox", { name: PROMPT }).waitFor();
    await page.route("**/GetServerInfo*", (route) => route.abort());
    await page.reload();
    await page.getByRole("heading", { name: "The server does not answer" }).waitFor();
    await page.unroute("**/GetServerInfo*");
    await page.getByRole("textbox", { name: PROMPT }).waitFor();
    expect(running.unforeseen()).toEqual([]);
  });
});
