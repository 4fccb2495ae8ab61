import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { AxeResults, RunOptions } from "axe-core";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { type PeopleStage, peopleStage, SCRIPT, startTo } from "./people.ts";

/** Where pictures of all views are kept; unset: none are taken. */
const { BREAKGLASS_TEST_PICTURES: PICTURES } = process.env;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES: RunOptions = {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
  resultTypes: ["violations"],
};
const SIZES = [
  { width: 1280, height: 800 },
  { width: 360, height: 740 },
];

/** What is wrong with the page as it is, in both schemes and widths; what it says is where and why. */
async function faultsOf(page: Page, name: string): Promise<string[]> {
  const faults: string[] = [];
  for (const size of SIZES) {
    await page.setViewportSize(size);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const look = `${name} ${size.width} ${colorScheme}`;
      for (const fault of await violationsOn(page)) faults.push(`${look}: ${fault}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (overflow > 0) faults.push(`${look}: ${overflow} px wider than the window`);
      if (PICTURES !== undefined) {
        mkdirSync(PICTURES, { recursive: true });
        await page.screenshot({ path: join(PICTURES, `${look.replaceAll(" ", "-")}.png`) });
      }
    }
  }
  return faults;
}

async function violationsOn(page: Page): Promise<string[]> {
  // The debugger's evaluation is not held by the page's policy.
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(AXE);
  const { violations } = (await page.evaluate(
    (rules) => (globalThis as never as { axe: { run(o: unknown): unknown } }).axe.run(rules),
    RULES as never,
  )) as AxeResults;
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(
      ({ html, failureSummary }) => `${id} (${help}): ${html.slice(0, 200)} ${failureSummary}`,
    ),
  );
}

async function withStage(
  look: (running: PeopleStage) => Promise<readonly (readonly string[])[]>,
): Promise<void> {
  const people = { alice: "operator", carol: "approver" };
  await using running = await peopleStage(people, { script: SCRIPT });
  expect((await look(running)).flat()).toEqual([]);
}

describe.skipIf(lacksBrowser)(`the look of the console${withoutBrowser}`, () => {
  it("has no fault where somebody signs in, or is lost", () =>
    withStage(async (running) => {
      const page = await running.open("/");
      await page.getByLabel("Token", { exact: true }).waitFor();
      const signIn = await faultsOf(page, "sign-in");
      await page.getByLabel("Token", { exact: true }).fill("wrong");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").waitFor();
      const refused = await faultsOf(page, "refused");
      const other = await running.openAs("alice", "/turns/0196f3c4-7d5e-7a30-9d0a-0123456789ab");
      await other.getByRole("alert").waitFor();
      const noTurn = await faultsOf(other, "no-turn");
      await other.evaluate(() => history.pushState(null, "", "/nowhere"));
      await other.goto(new URL("/sessions/nowhere", running.fake.url).href);
      await other.getByText("Nothing is here.").waitFor();
      return [signIn, refused, noTurn, await faultsOf(other, "nowhere")];
    }));

  it("has none on the desk, empty and full", () =>
    withStage(async (running) => {
      const page = await running.openAs("alice");
      await page.getByText("Nothing runs.").waitFor();
      const empty = await faultsOf(page, "desk-empty");
      const client = running.clientOf("alice");
      await startTo(client, "restart the gateway", "approvalRequest");
      await startTo(client, "wait for the replica", "text");
      await startTo(client, "crash", "error");
      await startTo(client, "Say hello", "result");
      await page.getByRole("button", { name: "Filter" }).click();
      await page.getByRole("article").waitFor();
      await page.getByRole("link", { name: "Say hello" }).waitFor();
      return [empty, await faultsOf(page, "desk-full")];
    }));

  it("has none on a turn that waits, fails and has ended", () =>
    withStage(async (running) => {
      const client = running.clientOf("alice");
      const waiting = await startTo(client, "restart the gateway", "approvalRequest");
      const failed = await startTo(client, "crash", "error");
      const ended = await startTo(client, "Show me fences", "result");
      const page = await running.openAs("alice");
      const faults: string[][] = [];
      for (const [name, { turnId }, text] of [
        ["turn-waiting", waiting, "systemctl restart gateway"],
        ["turn-failed", failed, "out of disk"],
        ["turn-ended", ended, "It ends in a fence:"],
      ] as const) {
        await page.goto(new URL(`/turns/${turnId}`, running.fake.url).href);
        await page.getByText(text).first().waitFor();
        faults.push(await faultsOf(page, name));
      }
      return faults;
    }));

  it("has none on a session, its dialogs and its menu", () =>
    withStage(async (running) => {
      const client = running.clientOf("alice");
      const { sessionId } = await startTo(client, "Say hello", "result");
      const share = { grantee: { case: "principal", value: "carol" } as const };
      await client.shareSession({ sessionId, with: share, access: 2 });
      const page = await running.openAs("alice", `/sessions/${sessionId}`);
      await page.getByText("Done: Say hello").first().waitFor();
      const faults = [await faultsOf(page, "session")];
      for (const name of ["Share …", "Delete …"]) {
        await page.getByRole("button", { name }).click();
        await page.getByRole("dialog").waitFor();
        faults.push(await faultsOf(page, name.slice(0, -2)));
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
      }
      await page.getByRole("button", { name: "Export", exact: true }).click();
      await page.getByRole("menu").waitFor();
      faults.push(await faultsOf(page, "Export"));
      return faults;
    }));

  it("has none in the palette and the list of keys", () =>
    withStage(async (running) => {
      await startTo(running.clientOf("alice"), "Say hello", "result");
      const page = await running.openAs("alice");
      await page.getByText("Nothing runs.").waitFor();
      await page.keyboard.press("Control+k");
      await page.getByRole("option", { name: "Show the keys" }).waitFor();
      const palette = await faultsOf(page, "palette");
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await page.keyboard.press("?");
      await page.getByRole("dialog", { name: "Keys" }).waitFor();
      return [palette, await faultsOf(page, "keys")];
    }));
});
