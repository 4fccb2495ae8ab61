import { createConnectTransport } from "@connectrpc/connect-node";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { type BreakglassClient, createBreakglassClient, streamTurn, type TurnEvent } from "#client";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { Fake } from "../../src/fake/fake.ts";

/** A client of the fake, beside the page. */
export function clientOf({ url }: Fake): BreakglassClient {
  return createBreakglassClient(createConnectTransport({ baseUrl: url, httpVersion: "1.1" }));
}

/** Starts a turn beside the page, and answers with its id once it is on record. */
export async function startTurn(
  fake: Fake,
  prompt: string,
  permissionMode: PermissionMode = PermissionMode.BYPASS,
): Promise<string> {
  const run = { prompt, permissionMode };
  for await (const { turnId } of streamTurn(clientOf(fake), { run })) return turnId;
  throw new Error("the turn's stream said nothing");
}

/** The durable events of a turn, once it has ended. */
export async function logOf(fake: Fake, turnId: string): Promise<TurnEvent[]> {
  const events = await Array.fromAsync(streamTurn(clientOf(fake), { attach: { turnId } }));
  return events.filter(({ sequence }) => sequence > 0);
}

/** What scrolls. */
export function logOn(page: Page) {
  return page.getByRole("region", { name: "What happened" });
}

/** Scrolls the log by so many pixels, as with a wheel. */
export async function wheel(page: Page, pixels: number): Promise<void> {
  await logOn(page).hover();
  await page.mouse.wheel(0, pixels);
}

/** Resolves once the log has come to rest: what is measured on the way moves it. */
export function atRest(page: Page): Promise<void> {
  return logOn(page).evaluate(async (log) => {
    const place = () => `${log.scrollTop} ${log.scrollHeight}`;
    for (let still = 0, before = place(); still < 10; before = place()) {
      await new Promise(requestAnimationFrame);
      still = place() === before ? still + 1 : 0;
    }
  });
}

/** Has a turn go on that waits for an approval. */
export async function allow(fake: Fake, turnId: string): Promise<void> {
  const client = clientOf(fake);
  for await (const { kind } of streamTurn(client, { attach: { turnId } })) {
    if (kind.case !== "approvalRequest") continue;
    const { approvalId } = kind.value;
    await client.resolveApproval({ turnId, approvalId, decision: { case: "allow", value: {} } });
    return;
  }
  throw new Error("the turn ended without an approval");
}

/** Ends the turn of a page, as one does: by a press that is asked about once more. */
export async function endTurn(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Cancel", exact: true }).first().click();
  const end = page.getByRole("button", { name: "End it", exact: true });
  await end.waitFor();
  // A press on what has just moved does not count.
  await expect
    .poll(async () => {
      await end.click({ timeout: 1000 }).catch(() => {});
      return await end.count();
    })
    .toBe(0);
}

/** How far the log is from its end, in pixels. */
export function distanceFromEnd(page: Page): Promise<number> {
  return logOn(page).evaluate((log) => log.scrollHeight - log.clientHeight - log.scrollTop);
}

/** The texts of all rows, by their places, as they are seen when the page is scrolled through from its start. */
export async function readAllRows(page: Page): Promise<Map<number, string>> {
  const log = logOn(page);
  await page.bringToFront();
  await log.focus();
  await page.keyboard.press("Home");
  await log.evaluate(async (element) => {
    while (element.scrollTop > 0) await new Promise(requestAnimationFrame);
  });
  const rows = await log.evaluate(async (element) => {
    const seen: [number, string][] = [];
    const frame = () => new Promise(requestAnimationFrame);
    for (let n = 0; n < 10; n++) await frame();
    // At the end it may grow once more while its last rows are measured.
    for (let still = 0; still < 5; ) {
      for (const row of element.querySelectorAll<HTMLElement>('article, [role="article"]')) {
        seen.push([Number(row.ariaPosInSet), row.textContent]);
      }
      const before = element.scrollTop;
      element.scrollTop += element.clientHeight * 0.8;
      await frame();
      await frame();
      still = element.scrollTop === before ? still + 1 : 0;
    }
    return seen;
  });
  return new Map(rows);
}
