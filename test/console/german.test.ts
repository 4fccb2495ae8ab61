import type { Locator, Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { stage } from "./console.ts";
import { clientAt, startTo } from "./people.ts";
import { startTurn } from "./turn-pages.ts";

const SCRIPT = {
  turns: [
    { when: "wait", steps: [{ text: "Ich warte." }, { failure: "hang" }] },
    {
      steps: [
        { line: { type: "conversation_reset", new_conversation_id: "x" } },
        { retry: { times: 3, status: 529, delay: "10ms" } },
        { text: "Ich beginne." },
        { failure: { exit: 3, stderr: "kein Platz" } },
      ],
    },
  ],
} as const;

/** What of a part of the page can be seen, in words. */
// biome-ignore lint/performance/useDomNodeTextContent: what is folded counts as not there
const seen = (part: Locator) => part.innerText();

/** What the server itself says of a turn's end, wherever the page has it. */
async function unfold(page: Page): Promise<void> {
  await page.getByText("Was der Server gesagt hat").last().click();
}

describe.skipIf(lacksBrowser)(`the console in German${withoutBrowser}`, () => {
  it("tells in German what the server has words of its own for, and has those below", async () => {
    await using running = await stage({ script: SCRIPT, locale: "de-DE" });
    const page = await running.open(`/turns/${await startTurn(running.fake, "Repariere es.")}`);
    const log = page.getByRole("region", { name: "Was geschah" });
    await log.getByText("Der Agent endete mitten in der Arbeit.").waitFor();
    const text = await seen(log);
    expect(text).toContain("Was vorher gesagt und getan wurde, weiß der Agent nicht mehr.");
    expect(text).toContain("Versuch 3 von 10, HTTP 529");
    expect(text).toContain("Exit-Code 3");
    expect(text).not.toMatch(/\b(?:the|exited|model's|conversation|began|turn)\b/i);
    await unfold(page);
    const own = log.getByText(/The Claude Code CLI .* in the middle of the turn/);
    await own.waitFor();
    expect(await own.evaluate((said) => said.closest("[lang]")?.getAttribute("lang"))).toBe("en");
    expect(running.complaints).toEqual([]);
  });

  it("tells in German why the server refuses something", async () => {
    await using running = await stage({
      script: SCRIPT,
      locale: "de-DE",
      settings: { BREAKGLASS_MAX_CONCURRENT_TURNS: "1" },
    });
    const { turnId } = await startTo(clientAt(running.fake.url), "wait", "text");
    const page = await running.open("/");
    await page.getByRole("textbox", { name: "Was ist zu tun?" }).fill("Repariere es.");
    await page.keyboard.press("Enter");
    const refusal = page.getByRole("alert");
    await refusal.getByText("Es laufen so viele Aufträge, wie zugleich laufen dürfen.").waitFor();
    expect(await seen(refusal)).not.toMatch(/RESOURCE_EXHAUSTED|\bthe\b/i);
    await unfold(page);
    await refusal.getByText(/RESOURCE_EXHAUSTED TOO_MANY_TURNS/).waitFor();
    await clientAt(running.fake.url).cancelTurn({ turnId });
    await expect.poll(() => page.getByText("Abgebrochen").count()).toBeGreaterThan(0);
  });
});
