import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { type PeopleStage, peopleStage, SCRIPT, startTo } from "./people.ts";

const PEOPLE = {
  alice: "operator",
  oscar: "operator",
  vera: "viewer",
  paul: "approver",
  ada: "admin",
};
/** What each is offered of a turn of alice's that waits for an approval; undefined: they do not see it. */
const OFFERED = {
  alice: {
    desk: { prompt: true, allow: true },
    turn: { allow: true, cancel: true },
    session: { share: true, delete: true },
  },
  oscar: { desk: { prompt: true, allow: false }, turn: undefined, session: undefined },
  vera: {
    desk: { prompt: false, allow: false },
    turn: { allow: false, cancel: false },
    session: { share: false, delete: false },
  },
  paul: {
    desk: { prompt: false, allow: true },
    turn: { allow: true, cancel: false },
    session: undefined,
  },
  ada: {
    desk: { prompt: true, allow: true },
    turn: { allow: true, cancel: true },
    session: { share: true, delete: true },
  },
} as const;

const has = async (page: Page, role: "button" | "textbox", name: string) =>
  (await page.getByRole(role, { name, exact: true }).count()) > 0;

async function onDesk(page: Page, seesIt: boolean) {
  if (seesIt) await page.getByRole("article", { name: "asks" }).waitFor();
  else await page.getByText("Nothing runs.").waitFor();
  return {
    prompt: await has(page, "textbox", "What is to be done?"),
    allow: await has(page, "button", "Allow"),
  };
}

/** Opens a view. Undefined: it is not to be seen. */
async function viewed<Offered>(
  { fake }: PeopleStage,
  page: Page,
  path: string,
  offered: () => Promise<Offered>,
): Promise<Offered | undefined> {
  await page.goto(new URL(path, fake.url).href);
  const seen = page.getByText("I look at the gateway.").first();
  const lost = page.getByRole("heading", { name: "This session is not to be seen" });
  const unseen = page.getByRole("alert").or(lost).first();
  await seen.or(unseen).first().waitFor();
  return (await unseen.isVisible()) ? undefined : offered();
}

describe.skipIf(lacksBrowser)(`each view of the console${withoutBrowser}`, () => {
  it.each(Object.entries(OFFERED))("offers %s what they may do", async (name, offered) => {
    await using running = await peopleStage(PEOPLE, { script: SCRIPT });
    const client = running.clientOf("alice");
    const { turnId, sessionId } = await startTo(client, "restart", "approvalRequest");
    const page = await running.openAs(name);
    const desk = await onDesk(page, offered.turn !== undefined);
    const turn = await viewed(running, page, `/turns/${turnId}`, async () => {
      await page.getByRole("article", { name: "asks" }).first().waitFor();
      return {
        allow: await has(page, "button", "Allow"),
        cancel: await has(page, "button", "Cancel"),
      };
    });
    const session = await viewed(
      running,
      page,
      `/sessions/${sessionId}${name === "alice" ? "" : "?principal=alice"}`,
      async () => ({
        share: await has(page, "button", "Share …"),
        delete: await has(page, "button", "Delete …"),
      }),
    );
    expect({ desk, turn, session }).toEqual(offered);
  });
});
