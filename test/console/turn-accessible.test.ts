import axe from "axe-core";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { stage } from "./console.ts";
import { startTurn } from "./turn-pages.ts";

/** What axe finds against WCAG 2.2 AA, each with what it is about. */
async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations } = await axe.run(document, { runOnly: tags });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}

const steps = [
  { thinking: "The port first." },
  {
    text: "# What\n\nA [link](https://example.test), `code`, and\n\n```\nmore\n```\n\n|a|b|\n|-|-|\n|1|2|",
  },
  {
    tool: {
      name: "Bash",
      input: { command: "ls", description: "Looks" },
      output: ["red", "green", "yellow", "blue", "magenta", "cyan"]
        .map((name, n) => `\u001b[3${n + 1}m${name}\u001b[0m \u001b[2mdim\u202e\u001b[0m`)
        .concat(Array.from({ length: 60 }, (_, n) => `line ${n}`))
        .join("\n"),
    },
  },
  {
    tool: {
      name: "Edit",
      input: { file_path: "/a", old_string: "a", new_string: "b" },
      output: "no",
      is_error: true,
    },
  },
  { tool: { name: "Any", input: { a: { b: [1, { c: null }] } }, output: "" } },
  { retry: { times: 2, status: 529, delay: "10ms" } },
  {
    approval: {
      tool: "Write",
      input: { file_path: "/b", content: "c" },
      output: "ok",
      allowed: [{ text: "Done." }],
    },
  },
];

describe.skipIf(lacksBrowser)(`a turn in the console, for everybody${withoutBrowser}`, () => {
  it.each(["light", "dark"] as const)("has no fault that axe knows, %s", async (colorScheme) => {
    await using running = await stage({
      script: {
        turns: [
          {
            when: "crash",
            steps: [{ text: "Half." }, { failure: { exit: 3, stderr: "out of disk" } }],
          },
          { steps },
        ],
      },
    });
    const turnId = await startTurn(running.fake, "Look at it.", PermissionMode.ASK);
    const page = await running.open(`/turns/${turnId}`);
    await page.emulateMedia({ colorScheme });
    for (const viewport of [
      { width: 1280, height: 2000 },
      { width: 360, height: 2000 },
    ]) {
      await page.setViewportSize(viewport);
      await page
        .getByText(/Waiting for an approval/)
        .first()
        .waitFor();
      await page.waitForTimeout(300);
      expect(await faultsOf(page)).toEqual([]);
    }
    const failed = await startTurn(running.fake, "crash");
    await page.goto(`${running.fake.url}/turns/${failed}`);
    await page.getByRole("heading", { name: "Failed" }).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    expect(running.complaints).toEqual([]);
  });

  it("is in German where the browser is", async () => {
    await using running = await stage({ locale: "de-DE" });
    const page = await running.open(`/turns/${await startTurn(running.fake, "Repariere es.")}`);
    await page.getByRole("heading", { name: "Ergebnis" }).waitFor();
    await page.getByRole("region", { name: "Was geschah" }).waitFor();
    expect(running.complaints).toEqual([]);
  });
});
