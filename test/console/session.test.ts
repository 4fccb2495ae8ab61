import { readFile } from "node:fs/promises";
import { fromJson } from "@bufbuild/protobuf";
import { marked, type Tokens } from "marked";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { SessionSchema, ShareAccess, TurnEventSchema, TurnSchema } from "#client";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { beyondSignIn, type PeopleStage, peopleStage, SCRIPT, startTo } from "./people.ts";

const PEOPLE = { alice: "operator", bob: "operator", eve: "viewer" };

/** A session of alice's with turns that have ended. Answers its path. */
async function aSession(running: PeopleStage, ...prompts: string[]): Promise<string> {
  const client = running.clientOf("alice");
  const [first = "", ...more] = prompts;
  const { sessionId } = await startTo(client, first, "result");
  for (const prompt of more) await startTo(client, prompt, "result", { sessionId });
  return `/sessions/${sessionId}?principal=alice`;
}

async function exported(page: Page, name: string): Promise<string> {
  await page.getByRole("button", { name: "Export", exact: true }).click();
  const downloading = page.waitForEvent("download");
  await page.getByRole("menuitem", { name }).click();
  return readFile(await (await downloading).path(), "utf8");
}

describe.skipIf(lacksBrowser)(`a session in the console${withoutBrowser}`, () => {
  it("shows its turns, the oldest first, and those that come", async () => {
    await using running = await peopleStage(PEOPLE, { script: SCRIPT });
    const path = await aSession(running, "Say one", "Say two");
    const page = await running.openAs("alice", path);
    const fold = (prompt: string, expanded: boolean) =>
      page.getByRole("button", { name: `Open: ${prompt}`, expanded });
    const logs = page.getByRole("region", { name: "What happened" });
    // All are open, and each is folded to what came of it.
    for (const prompt of ["Say one", "Say two"]) {
      await fold(prompt, true).waitFor();
      await logs.getByText(`Done: ${prompt}`).first().waitFor();
    }
    await fold("Say one", true).click();
    await fold("Say one", false).waitFor();
    await page.getByText("Done: Say one").waitFor();
    expect(await logs.count()).toBe(1);
    const names = await page.getByRole("button", { name: /^Open: / }).all();
    expect(await Promise.all(names.map((one) => one.getAttribute("aria-label")))).toEqual([
      "Open: Say one",
      "Open: Say two",
    ]);
    const sessionId = path.split(/[/?]/)[2]!;
    await startTo(running.clientOf("alice"), "wait for it", "text", { sessionId });
    await fold("wait for it", true).waitFor();
    await page.getByText("I wait.").waitFor();
    await fold("Say two", true).waitFor();
    expect(beyondSignIn(running.complaints)).toEqual([]);
  });

  it("appears to whom it is shared with, at once, and says whom its link works for", async () => {
    await using running = await peopleStage(PEOPLE, { script: SCRIPT });
    const path = await aSession(running, "Say one");
    const sessionId = path.split(/[/?]/)[2]!;
    await startTo(running.clientOf("alice"), "wait for the replica", "text", { sessionId });
    const [alice, bob] = [await running.openAs("alice", path), await running.openAs("bob", path)];
    await bob.getByRole("heading", { name: "This session is not to be seen" }).waitFor();
    await alice.getByText("The link opens the session for you alone", { exact: false }).waitFor();
    await bob.getByRole("link", { name: "To the desk" }).click();
    await bob.getByText("Nothing runs.").waitFor();

    await alice.getByRole("button", { name: "Share …" }).click();
    const dialog = alice.getByRole("dialog", { name: "Share the session" });
    await dialog.getByRole("textbox", { name: "Their name, as they sign in" }).fill("bob");
    await dialog.getByRole("radio", { name: "work in it" }).check();
    await dialog.getByRole("button", { name: "Share", exact: true }).click();
    await dialog.getByRole("combobox", { name: "What bob may do" }).waitFor();
    await bob.getByRole("link", { name: "wait for the replica" }).waitFor();
    const { session } = await running.clientOf("alice").getSession({ sessionId });
    expect(session!.shares.map(({ access }) => access)).toEqual([ShareAccess.OPERATE]);

    await dialog.getByRole("combobox", { name: "What bob may do" }).selectOption("read it");
    await dialog.getByRole("button", { name: "Close" }).click();
    await alice.getByText("The link opens the session for bob.", { exact: false }).waitFor();
    await bob.goto(new URL(path, running.fake.url).href);
    await bob.getByRole("heading", { name: "Session" }).first().waitFor();
    // What one may not do is not offered.
    await bob.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await bob.getByRole("button", { name: "Copy the link", exact: true }).click();
    await bob.getByText("Copied").first().waitFor();
    const link = await bob.evaluate(() => navigator.clipboard.readText());
    await alice.goto(link);
    await alice.getByText("I wait.").first().waitFor();
    expect(await bob.getByRole("button", { name: /^(?:Share|Delete) …$/ }).count()).toBe(0);

    await alice.getByRole("button", { name: "Share …" }).click();
    await dialog.getByRole("button", { name: "End the share with bob" }).click();
    await dialog.getByText("With nobody.").waitFor();
    await bob.reload();
    await bob.getByRole("heading", { name: "This session is not to be seen" }).waitFor();
  });

  it("is deleted once somebody has read what goes, and no Enter does it by accident", async () => {
    await using running = await peopleStage(PEOPLE, { script: SCRIPT });
    const path = await aSession(running, "Say one", "Say two");
    const page = await running.openAs("alice", path);
    await page.getByRole("button", { name: "Delete …" }).click();
    const dialog = page.getByRole("dialog", { name: "Delete the session" });
    await dialog.getByText("Its 2 turns, its workspace", { exact: false }).waitFor();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Space");
    expect((await running.clientOf("alice").listTurns({})).turns).toHaveLength(2);
    await dialog.getByRole("button", { name: "Delete it for good" }).click();
    await page.waitForURL("**/");
    await page.getByText("Nothing has ended yet", { exact: false }).waitFor();
    expect((await running.clientOf("alice").listTurns({})).turns).toEqual([]);
    expect(beyondSignIn(running.complaints)).toEqual([]);
  });

  it("is not deleted while a turn runs, and says so", async () => {
    await using running = await peopleStage(PEOPLE, { script: SCRIPT });
    const { sessionId, turnId } = await startTo(running.clientOf("alice"), "wait", "text");
    const page = await running.openAs("alice", `/sessions/${sessionId}`);
    await page.getByRole("button", { name: "Delete …" }).click();
    const dialog = page.getByRole("dialog", { name: "Delete the session" });
    await dialog.getByText("A turn runs in it", { exact: false }).waitFor();
    const remove = dialog.getByRole("button", { name: "Delete it for good" });
    expect(await remove.isDisabled()).toBe(true);
    await running.clientOf("alice").cancelTurn({ turnId });
    await remove.click();
    await page.waitForURL("**/");
  });

  it("is exported whole, as JSON of the proto and as Markdown that nothing in it breaks", async () => {
    await using running = await peopleStage(PEOPLE, { script: SCRIPT });
    const path = await aSession(running, "Show me fences", "# Say two");
    const page = await running.openAs("alice", path);
    const json = JSON.parse(await exported(page, "As JSON"));
    const client = running.clientOf("alice");
    const { session } = await client.getSession({ sessionId: json.session.sessionId });
    expect(fromJson(SessionSchema, json.session)).toEqual(session);
    const { turns } = await client.listTurns({ sessionId: json.session.sessionId });
    expect(json.turns.map(({ turn }: { turn: never }) => fromJson(TurnSchema, turn))).toEqual(
      turns.toReversed(),
    );
    for (const { turn, events } of json.turns) {
      const sequences = events.map((event: never) => fromJson(TurnEventSchema, event).sequence);
      expect(sequences).toEqual(Array.from({ length: turn.lastSequence }, (_, n) => n + 1));
    }

    const markdown = await exported(page, "As Markdown");
    const tokens = marked.lexer(markdown);
    const headings = tokens.flatMap((token) =>
      token.type === "heading" ? [(token as Tokens.Heading).text] : [],
    );
    expect(headings.slice(1)).toEqual(
      ["Turn 1 of 2", "Turn 2 of 2"].flatMap((name) => [name, "Prompt", "Result"]),
    );
    const blocks = tokens.flatMap((token) =>
      token.type === "code" ? [(token as Tokens.Code).text] : [],
    );
    expect(blocks).toContain("```\ninside a fence\n````\n<script>alert(1)</script>");
    expect(beyondSignIn(running.complaints)).toEqual([]);
  });

  it("has its turns exported one by one, also by who sees them without it", async () => {
    const people = { alice: "operator", carol: "approver" };
    await using running = await peopleStage(people, { script: SCRIPT });
    const { turnId } = await startTo(running.clientOf("alice"), "Show me fences", "result");
    const page = await running.openAs("carol", `/turns/${turnId}`);
    await page.getByText("It ends in a fence:").first().waitFor();
    const downloading = page.waitForEvent("download");
    await page.keyboard.press("Control+k");
    await page.getByRole("option", { name: "Export the turn: As JSON" }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe(`breakglass-${turnId}.json`);
    const json = JSON.parse(await readFile(await download.path(), "utf8"));
    expect(json.session).toBeUndefined();
    expect(json.turns).toMatchObject([{ turn: { turnId, prompt: "Show me fences" } }]);
    expect(json.turns[0].events).toHaveLength(json.turns[0].turn.lastSequence);
  });

  it("is read by a viewer, who is offered nothing that they may not do", async () => {
    await using running = await peopleStage(PEOPLE, { script: SCRIPT });
    const page = await running.openAs("eve", await aSession(running, "Say one"));
    await page.getByText("Done: Say one").first().waitFor();
    await page.getByRole("button", { name: "Export", exact: true }).waitFor();
    expect(await page.getByRole("button", { name: /^(?:Share|Delete) …$/ }).count()).toBe(0);
    expect(await page.getByRole("textbox", { name: "What is to be done?" }).count()).toBe(0);
  });
});
