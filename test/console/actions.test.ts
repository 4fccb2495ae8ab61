import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { type BreakglassClient, TurnState } from "#client";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { type Stage, stage } from "./console.ts";
import { clientAt, peopleStage, startTo } from "./people.ts";
import { endTurn } from "./turn-pages.ts";

const FORESEEN = /status of 4\d\d|net::ERR_/;
const SCRIPT = {
  turns: [
    { when: "deaf", steps: [{ text: "I hear nothing." }, { failure: "deaf" }] },
    { when: "Leave", steps: [{ text: "I leave it." }] },
    {
      when: "work",
      steps: [
        { text: "I work." },
        { repeat: { times: 600, steps: [{ tool: { name: "Read", input: {}, takes: "300ms" } }] } },
      ],
    },
    { steps: [{ text: "I wait." }, { failure: "hang" }] },
  ],
} as const;

const actionsOf = (page: Page) => page.getByRole("region", { name: "What to do with this turn" });
const button = (page: Page, name: string) => actionsOf(page).getByRole("button", { name });
const unforeseen = ({ complaints }: Stage) => complaints.filter((text) => !FORESEEN.test(text));

/** A turn that runs, and a page of it. */
async function running(prompt: string) {
  const there = await stage({ script: SCRIPT });
  const client = clientAt(there.fake.url);
  const { turnId } = await startTo(client, prompt, "text");
  const page = await there.open(`/turns/${turnId}`);
  await button(page, "Interrupt").waitFor();
  return { there, client, turnId, page };
}

async function stateOf(client: BreakglassClient, turnId: string) {
  return (await client.getTurn({ turnId })).turn?.state;
}

/** What was told to a turn, with the ids that it was sent under. */
async function steersOf(client: BreakglassClient, turnId: string) {
  const told: string[] = [];
  for await (const { event } of client.attachTurn({ turnId })) {
    if (event?.kind.case === "steer") told.push(event.kind.value.message);
    if (event?.kind.case === "checkpoint" && event.kind.value.caughtUp) break;
  }
  return told;
}

describe.skipIf(lacksBrowser)(`what is done with a turn in the console${withoutBrowser}`, () => {
  it("interrupts by a button, and tells that it has", async () => {
    const { there, client, turnId, page } = await running("wait");
    await using _ = there;
    await button(page, "Interrupt").click();
    await expect.poll(() => stateOf(client, turnId)).toBe(TurnState.CANCELED);
    await page.getByRole("textbox", { name: "What is to be done next?" }).waitFor();
    expect(there.complaints).toEqual([]);
  });

  it.each([["Control+."], ["Escape Escape"]])(
    "interrupts by %s, and by no stray key",
    async (keys) => {
      const { there, client, turnId, page } = await running("wait");
      await using _ = there;
      for (const key of ["Escape", "Enter", "Space", "c", "i", "Delete"])
        await page.keyboard.press(key);
      expect(await stateOf(client, turnId)).toBe(TurnState.RUNNING);
      await expect
        .poll(async () => {
          // Of two keys the second one is to come soon, which a busy machine may miss.
          for (const key of keys.split(" ")) await page.keyboard.press(key);
          return await stateOf(client, turnId);
        })
        .toBe(TurnState.CANCELED);
    },
  );

  it("says that an agent did not stop, and then cancels without asking", async () => {
    const { there, client, turnId, page } = await running("deaf");
    await using _ = there;
    await button(page, "Interrupt").click();
    await actionsOf(page).getByText("The agent is asked to stop …").waitFor();
    await actionsOf(page).getByText("The agent did not stop within 5 s").waitFor();
    expect(await stateOf(client, turnId)).toBe(TurnState.RUNNING);
    await button(page, "Cancel").click();
    await expect.poll(() => stateOf(client, turnId)).toBe(TurnState.CANCELED);
    expect(unforeseen(there)).toEqual([]);
  });

  it("says what a cancel does before it is done", async () => {
    const { there, client, turnId, page } = await running("wait");
    await using _ = there;
    await button(page, "Cancel").dblclick();
    // The second press of two decides nothing.
    expect(await stateOf(client, turnId)).toBe(TurnState.RUNNING);
    await button(page, "Back").click();
    await button(page, "Cancel").click();
    await actionsOf(page).getByText("This kills what the turn runs.").waitFor();
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    expect(await focused()).toBe("Back");
    await page.keyboard.press("Enter");
    expect(await stateOf(client, turnId)).toBe(TurnState.RUNNING);
    await endTurn(page);
    await expect.poll(() => stateOf(client, turnId)).toBe(TurnState.CANCELED);
    expect(there.complaints).toEqual([]);
  });

  it("asks whether the turn runs where that was not confirmed", async () => {
    const { there, client, turnId, page } = await running("wait");
    await using _ = there;
    await page.route("**/InterruptTurn", (route) => route.abort("connectionreset"));
    await button(page, "Interrupt").click();
    await actionsOf(page).getByText("The turn still runs").waitFor();
    expect(await stateOf(client, turnId)).toBe(TurnState.RUNNING);
    await page.unroute("**/InterruptTurn");
    await button(page, "Interrupt").click();
    await expect.poll(() => stateOf(client, turnId)).toBe(TurnState.CANCELED);
  });

  it("tells the agent what one writes, once, and keeps it until then", async () => {
    const { there, client, turnId, page } = await running("work");
    await using _ = there;
    const box = page.getByRole("textbox", { name: "Tell the agent" });
    await box.fill("Leave the database.");
    await page.reload();
    await expect.poll(() => box.inputValue()).toBe("Leave the database.");
    await box.press("Enter");
    await actionsOf(page).getByText("Told. The agent takes it up").waitFor();
    expect(await box.inputValue()).toBe("");
    expect(await box.evaluate((area) => area === document.activeElement)).toBe(true);
    expect(await steersOf(client, turnId)).toEqual(["Leave the database."]);
    await box.fill("x".repeat(64 * 1024 + 1));
    await actionsOf(page)
      .getByText("The text has 65,537 bytes; at most 65,536 are taken.")
      .waitFor();
    expect(await button(page, "Tell").isDisabled()).toBe(true);
    expect(there.complaints).toEqual([]);
  });

  it("finds out that the agent was told where the answer was lost", async () => {
    const { there, client, turnId, page } = await running("work");
    await using _ = there;
    let sent = 0;
    await page.route("**/SteerTurn", async (route) => {
      sent++;
      await route.fetch();
      await route.abort("connectionreset");
    });
    await page.getByRole("textbox", { name: "Tell the agent" }).fill("Leave it.");
    await button(page, "Tell").click();
    await actionsOf(page).getByText("Told. The agent takes it up").waitFor();
    expect([sent, await steersOf(client, turnId)]).toEqual([1, ["Leave it."]]);
  });

  it("sends what did not arrive again by a press alone, and never as another message", async () => {
    const { there, client, turnId, page } = await running("work");
    await using _ = there;
    const bodies: string[] = [];
    await page.route("**/SteerTurn", async (route) => {
      bodies.push(route.request().postDataBuffer()?.toString("latin1") ?? "");
      await route.abort("connectionreset");
    });
    const box = page.getByRole("textbox", { name: "Tell the agent" });
    await box.fill("Leave it.");
    await box.press("Enter");
    await actionsOf(page).getByText("It was not confirmed: the agent may have it").waitFor();
    expect([bodies.length, await steersOf(client, turnId)]).toEqual([1, []]);
    // A reload sends nothing by itself either.
    await page.reload();
    await actionsOf(page).getByText("It was not confirmed: the agent may have it").waitFor();
    await button(page, "Send again").click();
    await expect.poll(() => bodies.length).toBe(2);
    expect(bodies[1]).toBe(bodies[0]);
    await page.unroute("**/SteerTurn");
    await actionsOf(page).getByText("It was not confirmed: the agent may have it").waitFor();
    await button(page, "Send again").click();
    await actionsOf(page).getByText("Told. The agent takes it up").waitFor();
    expect(await steersOf(client, turnId)).toEqual(["Leave it."]);
  });

  it("offers nothing to who may only look, and large buttons to a thumb", async () => {
    const people = { alice: "operator", vera: "viewer" };
    await using there = await peopleStage(people, { script: SCRIPT });
    const { turnId } = await startTo(there.clientOf("alice"), "wait", "text");
    const vera = await there.openAs("vera", `/turns/${turnId}`);
    await vera.getByText("I wait.").first().waitFor();
    expect(await actionsOf(vera).count()).toBe(0);
    const alice = await there.openAs("alice", `/turns/${turnId}`);
    await alice.setViewportSize({ width: 360, height: 740 });
    for (const name of ["Interrupt", "Cancel", "Tell"]) {
      const box = await button(alice, name).boundingBox();
      expect(box!.height).toBeGreaterThanOrEqual(44);
      expect(box!.y + box!.height).toBeLessThanOrEqual(740);
    }
  });
});
