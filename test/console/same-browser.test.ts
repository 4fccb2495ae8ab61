import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { copied, keeps, keptIn } from "./copies.ts";
import { signIn, storedIn, tokenStage } from "./tokens.ts";

const ALICE = "alice-token-0123456789abcdef012345";
const BOB = "bob-token-0123456789abcdef01234567";
const PROMPT = "What is to be done?";

describe.skipIf(lacksBrowser)(`one browser of several people${withoutBrowser}`, () => {
  it("shows what was kept to nobody who comes to sign in as somebody else did", async () => {
    await using running = await tokenStage({ [ALICE]: "alice" });
    const page = await running.open("/");
    await signIn(page, ALICE, true);
    await copied(page);
    await page.getByRole("textbox", { name: PROMPT }).fill("What alice alone knows.");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/turns\//);
    await keeps(page, /^alice\/desk/);
    await page.goto("about:blank");
    await running.setTokens({ [ALICE]: "bob" });
    await page.goto(running.fake.url);
    await page.getByText("bob").first().waitFor();
    await keeps(page, /^bob\/server/);
    await keeps(page, /^bob\/desk/);
    await running.fake.kill();
    await page.reload();
    await page.getByText("bob").first().waitFor();
    expect(await page.getByText("alice", { exact: false }).count()).toBe(0);
    expect((await keptIn(page)).filter((key) => key.startsWith("alice/"))).toEqual([]);
    expect(running.unforeseen()).toEqual([]);
  });

  it("shows nothing of one person any more once the server takes the page for another's", async () => {
    await using running = await tokenStage({ [ALICE]: "alice" });
    const page = await (await running.newPerson()).newPage();
    await page.clock.install();
    await page.goto(running.fake.url);
    await signIn(page, ALICE);
    const prompt = page.getByRole("textbox", { name: PROMPT });
    await prompt.fill("What alice alone knows.");
    await running.setTokens({ [ALICE]: "bob" });
    await page.clock.fastForward("02:00");
    await page.getByText("bob").first().waitFor();
    await prompt.waitFor();
    expect(await prompt.inputValue()).toBe("");
    expect(running.unforeseen()).toEqual([]);
  });

  it("sends nothing of one person in the name of the next", async () => {
    await using running = await tokenStage({ [ALICE]: "alice", [BOB]: "bob" });
    const page = await (await running.newPerson()).newPage();
    await page.clock.install();
    await page.goto(running.fake.url);
    await signIn(page, ALICE);
    let isDown = true;
    let runs = 0;
    await page.route("**/RunTurn", async (route) => {
      runs++;
      await (isDown ? route.abort() : route.continue());
    });
    await page.getByRole("textbox", { name: PROMPT }).fill("What alice alone knows.");
    await page.keyboard.press("Enter");
    await expect.poll(() => runs).toBeGreaterThan(3);
    await page.getByRole("button", { name: "Sign out" }).click();
    await signIn(page, BOB);
    await page.getByText("bob").first().waitFor();
    isDown = false;
    const before = runs;
    await page.clock.fastForward("01:00");
    // What the timers do is before that.
    await page.evaluate(() => fetch("/healthz").then(() => undefined));
    expect(runs).toBe(before);
    const { local, session } = await storedIn(page);
    expect([...local, ...session].join()).not.toContain("alice");
    expect(running.unforeseen()).toEqual([]);
  });

  it("forgets what was kept for a token that is refused before anything was shown", async () => {
    await using running = await tokenStage({ [ALICE]: "alice" });
    const person = await running.newPerson();
    const page = await running.open("/", person);
    await signIn(page, ALICE, true);
    await keeps(page, /^alice\/desk/);
    await page.close();
    await running.setTokens({ other: "bob" });
    const next = await running.open("/", person);
    await next.getByLabel("Token", { exact: true }).waitFor();
    await expect.poll(() => keptIn(next)).toEqual([]);
    expect(running.unforeseen()).toEqual([]);
  });

  it("signs out a window that has not been told yet who it is", async () => {
    await using running = await tokenStage({ [ALICE]: "alice" });
    const person = await running.newPerson();
    const page = await running.open("/", person);
    await signIn(page, ALICE, true);
    await page.getByRole("textbox", { name: PROMPT }).waitFor();
    const other = await person.newPage();
    const { promise: asked, resolve: ask } = Promise.withResolvers<() => Promise<void>>();
    await other.route("**/GetServerInfo", (route) => ask(() => route.continue()));
    await other.goto(running.fake.url);
    const goOn = await asked;
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("You are signed out.").waitFor();
    await goOn();
    await other.getByLabel("Token", { exact: true }).waitFor();
    expect(await storedIn(other)).toEqual({ local: [], session: [] });
    expect(running.unforeseen()).toEqual([]);
  });
});
