import { describe, expect, it } from "vitest";
import { TurnOrigin, TurnState } from "#client";
import { endedRequestOf, filterOf, fits, queryOf } from "../../console/src/desk/turn-filter.ts";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { beyondSignIn, peopleStage, SCRIPT, startTo } from "./people.ts";

const PEOPLE = { alice: "operator,viewer", bob: "operator,viewer" };
const ALL = "";
/** Queries of an address; `SINCE` is the time of the third turn. */
const QUERIES = [
  ALL,
  "q=gateway",
  "q=GATEWAY",
  "q=stra%C3%9Fe",
  "q=STRASSE",
  "q=%CE%BF%CE%B4%CE%BF%CF%82",
  "q=not+there",
  "q=a++b",
  "who=alice",
  "who=Alice",
  "who=bob&q=gateway",
  "state=failed",
  "state=failed,succeeded&who=alice",
  "state=running",
  "origin=agent",
  "origin=caller",
  "since=SINCE",
  "until=SINCE",
  "last=1h",
];

describe("a filter of the desk", () => {
  it("means for news what the server means by it for what is on record", async () => {
    await using running = await peopleStage(PEOPLE, { script: SCRIPT });
    const [alice, bob] = [running.clientOf("alice"), running.clientOf("bob")];
    for (const prompt of [
      "Repair the gateway",
      "gateway in der Straße",
      "ΟΔΟΣ a  b",
      `${"x".repeat(4090)}gateway`,
    ]) {
      await startTo(alice, prompt, "result");
      await startTo(bob, `${prompt}!`, "result");
    }
    await startTo(alice, "crash the gateway", "error");
    const { turns } = await alice.listTurns({ pageSize: 100 });
    expect(turns).toHaveLength(9);
    // Whole, as lists have them cut to what is searched.
    const whole = await Promise.all(
      turns.map(async ({ turnId }) => (await alice.getTurn({ turnId })).turn!),
    );
    const third = turns.at(-3)!;
    const since = new Date(
      Number(third.createTime!.seconds) * 1000 + third.createTime!.nanos / 1e6,
    );
    const now = Date.now();
    for (const query of QUERIES) {
      const filter = filterOf(new URLSearchParams(query.replace("SINCE", since.toISOString())));
      const request = endedRequestOf(filter, now);
      const told = request === undefined ? [] : (await alice.listTurns(request)).turns;
      const shown = whole.filter((turn) => fits(filter, turn, now));
      expect(
        shown.map(({ turnId }) => turnId),
        query,
      ).toEqual(told.map(({ turnId }) => turnId));
    }
  });

  it("comes back from the address that it makes", () => {
    const filter = {
      states: [TurnState.RUNNING, TurnState.FAILED],
      principal: "a b&c",
      text: "what? = #",
      origin: TurnOrigin.AGENT,
      span: undefined,
      since: new Date("2026-01-02T03:04:00Z"),
      until: new Date("2026-01-03T03:04:00Z"),
    };
    expect(filterOf(new URLSearchParams(queryOf(filter)))).toEqual(filter);
    expect(queryOf(filterOf(new URLSearchParams("state=no&origin=no&last=no&since=no")))).toBe("");
  });
});

describe.skipIf(lacksBrowser)(`the desk's filters${withoutBrowser}`, () => {
  it("are in the address, over reloads and the way back, for news as for what was", async () => {
    await using running = await peopleStage(PEOPLE, { script: SCRIPT });
    const [alice, bob] = [running.clientOf("alice"), running.clientOf("bob")];
    await startTo(alice, "Look at the disk", "result");
    await startTo(bob, "Look at the gateway", "result");
    const page = await running.openAs("alice");
    const ended = page.getByRole("region", { name: "Ended" });
    await ended.getByRole("link", { name: "Look at the gateway" }).waitFor();

    await page.getByRole("searchbox", { name: "Words in the prompt" }).fill("DISK");
    await ended.getByRole("link", { name: "Look at the gateway" }).waitFor({ state: "detached" });
    await ended.getByRole("link", { name: "Look at the disk" }).waitFor();
    await page.waitForURL("**/?q=DISK");

    await page.reload();
    await ended.getByRole("link", { name: "Look at the disk" }).waitFor();
    await startTo(bob, "Look at the gateway again", "result");
    await startTo(bob, "Look at the other disk", "result");
    await ended.getByRole("link", { name: "Look at the other disk" }).waitFor();
    expect(await page.getByRole("link", { name: /gateway/ }).count()).toBe(0);

    await page.getByRole("button", { name: "Filter" }).click();
    await page.getByRole("combobox", { name: "Person" }).fill("bob");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/?q=DISK&who=bob");
    await ended.getByRole("link", { name: "Look at the disk" }).waitFor({ state: "detached" });
    await page.goBack();
    await ended.getByRole("link", { name: "Look at the disk" }).waitFor();
    await page.getByRole("button", { name: "Show all" }).click();
    await ended.getByRole("link", { name: "Look at the gateway again" }).waitFor();
    expect(new URL(page.url()).search).toBe("");
    expect(beyondSignIn(running.complaints)).toEqual([]);
  });

  it("do not hide without a word what waits for an approval", async () => {
    await using running = await peopleStage(PEOPLE, { script: SCRIPT });
    await startTo(running.clientOf("alice"), "restart the gateway", "approvalRequest");
    const page = await running.openAs("alice", "/?q=disk");
    await page.getByText("1 approval is left out by the filter.").waitFor();
    await page.getByRole("paragraph").getByRole("link", { name: "Show all" }).click();
    await page.getByRole("article").getByText("systemctl restart gateway").first().waitFor();
  });
});
