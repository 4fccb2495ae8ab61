import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { stage } from "./console.ts";
import { distanceFromEnd, logOf, logOn, readAllRows, startTurn } from "./turn-pages.ts";

describe.skipIf(lacksBrowser)(`a long turn in the console${withoutBrowser}`, () => {
  it("ends where it should, with each of its events once", async () => {
    const steps = [
      {
        repeat: {
          times: 1250,
          steps: [
            { text: "Look {{n}}." },
            { tool: { name: "Bash", input: { command: "echo {{n}}" }, output: "answer {{n}}" } },
            { thinking: "Round {{n}}" },
          ],
        },
      },
    ];
    await using running = await stage({ script: { turns: [{ steps }] } });
    const turnId = await startTurn(running.fake, "Look.");
    const log = await logOf(running.fake, turnId);
    expect(log.length).toBeGreaterThan(5000);

    const page = await running.open(`/turns/${turnId}`);
    await page.getByRole("heading", { name: "Result" }).waitFor();
    await expect.poll(() => distanceFromEnd(page)).toBeLessThan(2);
    // Of five thousand events those are on the page that can be seen.
    expect(await page.getByRole("article").count()).toBeLessThan(60);

    // More of it at once, so that it takes fewer frames to see all.
    const usual = page.viewportSize()!;
    await page.setViewportSize({ ...usual, height: 4000 });
    await expect.poll(() => distanceFromEnd(page)).toBeLessThan(2);
    const heightOfAll = () => logOn(page).evaluate((element) => element.scrollHeight);
    const guessed = await heightOfAll();
    const rows = [...(await readAllRows(page))].toSorted(([a], [b]) => a - b);
    const seen = rows.map(([, text]) => text).join("\n");
    const expected = log.flatMap(({ kind }) => {
      if (kind.case === "text") return [kind.value.text];
      if (kind.case === "toolResult") return [kind.value.content];
      if (kind.case === "result") return [kind.value.result];
      return kind.case === "thinking" ? [kind.value.text] : [];
    });
    expect(seen.match(/Look \d+\.|answer \d+|Round \d+/g)).toEqual(expected);
    // Nothing moves under who scrolls: rows are as high as was guessed before they were seen.
    expect(guessed / (await heightOfAll())).toBeCloseTo(1, 1);
    // The prompt, the foot, and a row for each event but the answers, which are at their calls.
    const answers = log.filter(({ kind }) => kind.case === "toolResult").length;
    expect(rows.map(([place]) => place)).toEqual(
      Array.from({ length: log.length - answers + 2 }, (_, index) => index + 1),
    );

    await page.setViewportSize(usual);
    await page
      .getByRole("navigation", { name: "Tools" })
      .getByText("echo 1", { exact: true })
      .click();
    await page.getByRole("article", { name: "Bash echo 1: done" }).waitFor();
    await logOn(page).focus();
    await page.keyboard.press("End");
    await page.getByRole("heading", { name: "Result" }).waitFor();
    expect(running.complaints).toEqual([]);
  });
});
