import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { stage } from "./console.ts";
import { clientAt, startTo } from "./people.ts";

const SCRIPT = {
  turns: [
    { when: "wait", steps: [{ text: "I wait." }, { failure: "hang" }] },
    {
      when: "long",
      steps: [{ repeat: { times: 300, steps: [{ text: "Look {{n}}." }] } }],
    },
    { steps: [{ text: "Done: {{prompt}}" }] },
  ],
} as const;

/** How many turns a page reads at a time: the most of them, and now. */
function readings(page: Page) {
  let now = 0;
  let most = 0;
  const isOne = (request: { url(): string }) => request.url().endsWith("/AttachTurn");
  page.on("request", (request) => {
    if (isOne(request)) most = Math.max(most, ++now);
  });
  for (const end of ["requestfinished", "requestfailed"] as const)
    page.on(end as "requestfinished", (request) => isOne(request) && now--);
  return { most: () => most, now: () => now };
}

const fold = (page: Page, prompt: string) =>
  page.getByRole("button", { name: `Open: ${prompt}`, exact: true });

describe.skipIf(lacksBrowser)(`the turns of a session in the console${withoutBrowser}`, () => {
  it("stand one below the other, and are read one at a time beside the one that runs", async () => {
    await using running = await stage({ script: SCRIPT });
    const client = clientAt(running.fake.url);
    const { sessionId } = await startTo(client, "turn 1", "result");
    for (let n = 2; n <= 30; n++) await startTo(client, `turn ${n}`, "result", { sessionId });
    await startTo(client, "wait", "text", { sessionId });
    const page = await (await running.newPerson()).newPage();
    const reading = readings(page);
    await page.goto(`${running.fake.url}/sessions/${sessionId}`);
    // It begins at what runs.
    const live = page.getByRole("article").filter({ has: fold(page, "wait") });
    await live.getByRole("button", { name: "Interrupt" }).waitFor();
    await expect
      .poll(() =>
        fold(page, "wait")
          .boundingBox()
          .then((box) => box!.y),
      )
      .toBeLessThan(700);
    // All above comes as one scrolls up to it, and stays where it is.
    for (let n = 30; n >= 1; n--) {
      await fold(page, `turn ${n}`).scrollIntoViewIfNeeded();
      await page.getByText(`Done: turn ${n}`, { exact: true }).first().waitFor();
    }
    expect(reading.most()).toBeLessThanOrEqual(2);
    await expect.poll(reading.now).toBe(1);
    // What is far away is not on the page.
    expect(await page.getByRole("region", { name: "What happened" }).count()).toBeLessThan(31);
    await fold(page, "wait").scrollIntoViewIfNeeded();
    await live.getByRole("button", { name: "Interrupt" }).click();
    await live.getByText("Canceled").first().waitFor();
    expect(running.complaints).toEqual([]);
  });

  it("have the rows alone that are seen, however long one is", async () => {
    await using running = await stage({ script: SCRIPT });
    const client = clientAt(running.fake.url);
    const { sessionId } = await startTo(client, "long", "result");
    await startTo(client, "short", "result", { sessionId });
    const page = await running.open(`/sessions/${sessionId}`);
    await page.getByText("Done: short").first().waitFor();
    const log = page.getByRole("region", { name: "What happened" }).first();
    await log.getByText("Look 300.", { exact: true }).first().waitFor();
    expect(await page.getByText(/^Look \d+\.$/).count()).toBeLessThan(60);
    // Keys are about the turn in which somebody does something.
    await log.click({ position: { x: 5, y: 5 } });
    await log.focus();
    await page.keyboard.press("Home");
    await log.getByText("Look 1.", { exact: true }).waitFor();
    expect(running.complaints).toEqual([]);
  });
});
