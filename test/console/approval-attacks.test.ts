import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { stage } from "./console.ts";
import { clientAt, startTo } from "./people.ts";

/** A page with one approval that waits. */
async function asked(approval: { tool: string; input: Record<string, unknown> }) {
  const running = await stage({ script: { turns: [{ steps: [{ approval }] }] } });
  await startTo(clientAt(running.fake.url), "go", "approvalRequest");
  const page = await running.open("/");
  const card = page.getByRole("article", { name: "asks" });
  return { running, page, card };
}

describe.skipIf(lacksBrowser)(`a hostile approval in the console${withoutBrowser}`, () => {
  it("shows each character where it runs, of whatever script it is", async () => {
    const command = "rm \u05d0/1/\u05d1 && mv \u0627\u0628 \u062a\u062b";
    const { running, card } = await asked({ tool: "Bash", input: { command } });
    await using _ = running;
    const places = await card.getByRole("region", { name: "Command" }).evaluate((region) => {
      const walker = document.createTreeWalker(region, NodeFilter.SHOW_TEXT);
      const found: number[] = [];
      while (walker.nextNode()) {
        const text = walker.currentNode as Text;
        for (let at = 0; at < text.data.trimEnd().length; at++) {
          const range = document.createRange();
          range.setStart(text, at);
          range.setEnd(text, at + 1);
          found.push(range.getBoundingClientRect().left);
        }
      }
      return found;
    });
    expect(places.length).toBe(command.length);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(running.complaints).toEqual([]);
  });

  it("is shown where every other character of it is one that nobody can see", async () => {
    const command = `${"\u200ba".repeat(60_000)}; rm -rf /`;
    const { running, card } = await asked({ tool: "Bash", input: { command } });
    await using _ = running;
    const text = card.getByRole("region", { name: "Command" });
    await expect.poll(() => text.textContent()).toContain("; rm -rf /");
    expect(await card.evaluate((element) => element.querySelectorAll("*").length)).toBeLessThan(
      5000,
    );
    expect(running.complaints).toEqual([]);
  });

  it("is shown, and can be denied, however little the texts of its edit have in common", async () => {
    const lines = (letter: string) =>
      Array.from({ length: 12_000 }, (_, n) => `${letter}${n}`).join("\n");
    const input = { file_path: "/etc/gateway", old_string: lines("a"), new_string: lines("b") };
    const { running, card } = await asked({ tool: "Edit", input });
    await using _ = running;
    await card.getByText("b11999").first().waitFor();
    const deny = card.getByRole("button", { name: "Deny", exact: true });
    await deny.click({ trial: true });
    await expect
      .poll(async () => {
        await deny.click({ timeout: 1000 }).catch(() => {});
        return await card.getByText("Denied by local").count();
      })
      .toBe(1);
    expect(running.complaints).toEqual([]);
  });
});
