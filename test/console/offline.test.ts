import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { makeCertificate } from "../security/certificate.ts";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer } from "../support/test-server.ts";
import { stage, windowsOf } from "./console.ts";
import { copied, keeps, keptIn } from "./copies.ts";
import { signIn, storedIn, tokenStage } from "./tokens.ts";

const PROMPT = "What is to be done?";
const REPAIRED = "Repaired: the gateway listens on a port that exists.";

/** The argument of a browser that trusts a certificate which nobody has signed, as one's own would be trusted. */
function trusting({ BREAKGLASS_TLS_CERT: path = "" }: Readonly<Record<string, string>>): string {
  const key = new X509Certificate(readFileSync(path)).publicKey;
  const digest = createHash("sha256").update(key.export({ type: "spki", format: "der" }));
  return `--ignore-certificate-errors-spki-list=${digest.digest("base64")}`;
}

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

  it("opens so over TLS too", async () => {
    await using environment = await createTestEnvironment();
    const certificate = makeCertificate(environment.root);
    await using server = await startTestServer(certificate);
    await using windows = await windowsOf(server, "en-US", trusting(certificate));
    const page = await windows.open("/");
    await copied(page);
    await page.getByRole("textbox", { name: PROMPT }).fill("say one");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/turns\//);
    await page.getByRole("heading", { name: "Result" }).waitFor();
    // All over one connection: it is HTTP/2.
    expect(
      await page.evaluate(() =>
        performance
          .getEntriesByType("resource")
          .map((entry) => (entry as PerformanceResourceTiming).nextHopProtocol)
          .filter((protocol) => protocol !== ""),
      ),
    ).toContain("h2");
    await keeps(page, /^local\/events /);
    await server.drain();
    await page.reload();
    await page.getByText(/has not answered since .* This is as of/).waitFor();
    await page.getByRole("heading", { name: "Result" }).waitFor();
    expect(windows.complaints.filter((text) => !/net::ERR_/.test(text))).toEqual([]);
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
