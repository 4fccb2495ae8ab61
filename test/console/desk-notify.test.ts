import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { beyondSignIn, type PeopleStage, peopleStage, SCRIPT, startTo } from "./people.ts";

const PEOPLE = { alice: "operator", carol: "approver" };

interface Shown {
  readonly title: string;
  readonly body: string;
  isClosed: boolean;
}

/** The desktop of a browser without one: what it was given to show. */
declare global {
  var desktop: (Shown & { click(): void })[];
}

/** Opens the desk of somebody whose desktop shows notifications, and whose page can be hidden. */
async function openWithDesktop(running: PeopleStage, name: string): Promise<Page> {
  const page = await running.openAs(name);
  await page.context().grantPermissions(["notifications"]);
  await page.context().addInitScript(() => {
    globalThis.desktop = [];
    globalThis.Notification = class {
      static readonly permission = "granted";
      static requestPermission = async () => "granted" as const;
      onclick?: () => void;
      constructor(title: string, { body = "" } = {}) {
        const shown = { title, body, isClosed: false, click: () => this.onclick?.() };
        globalThis.desktop.push(shown);
        this.close = () => {
          shown.isClosed = true;
        };
      }
      close() {}
    } as never;
  });
  await page.reload();
  await page.getByRole("button", { name: "Tell me when something waits" }).click();
  await page.getByText("Notifications are on").waitFor();
  return page;
}

function hide(page: Page, isHidden = true): Promise<void> {
  return page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  }, isHidden);
}

/** Waits until so many were shown. */
async function shown(page: Page, count: number): Promise<readonly Shown[]> {
  await page.waitForFunction((n) => globalThis.desktop.length >= n, count);
  return page.evaluate(() => globalThis.desktop.map(({ click: _click, ...rest }) => rest));
}

describe.skipIf(lacksBrowser)(`notifications of the desktop${withoutBrowser}`, () => {
  it("come while the page is hidden, say little, and are withdrawn where it was decided", async () => {
    await using running = await peopleStage(PEOPLE, { script: SCRIPT });
    const page = await openWithDesktop(running, "carol");
    const alice = running.clientOf("alice");
    await startTo(alice, "restart what is seen", "approvalRequest");
    await page.waitForFunction(() => document.title.startsWith("(1)"));
    await hide(page);
    const { kind, turnId } = await startTo(alice, "restart the gateway", "approvalRequest");
    const approvalId = kind.case === "approvalRequest" ? kind.value.approvalId : "";
    expect(await shown(page, 1)).toEqual([
      { title: "Bash waits for your answer, for alice", body: "", isClosed: false },
    ]);
    const decision = { case: "deny", value: {} } as const;
    await alice.resolveApproval({ turnId, approvalId, decision });
    await page.waitForFunction(() => globalThis.desktop[0]?.isClosed);
    expect(beyondSignIn(running.complaints)).toEqual([]);
  });

  it("tell of the ends of one's own turns, with their text where that was asked for, and lead there", async () => {
    await using running = await peopleStage(PEOPLE, { script: SCRIPT });
    const page = await openWithDesktop(running, "alice");
    await page.getByRole("checkbox", { name: "Show prompts in notifications" }).check();
    await page.reload();
    await page.getByText("Notifications are on").waitFor();
    await page.getByText("Nothing runs.").waitFor();
    await hide(page);
    const { turnId } = await startTo(running.clientOf("alice"), "Say hello", "result");
    const [end] = await shown(page, 1);
    expect(end).toEqual({ title: "Your turn: Succeeded", body: "Say hello", isClosed: false });
    await page.evaluate(() => globalThis.desktop[0]?.click());
    await page.waitForURL(`**/turns/${turnId}`);
  });
});
