import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { runCommand } from "../commands/run-command.ts";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { beyondSignIn, peopleStage, SCRIPT, startTo } from "./people.ts";

const OPERATORS = { alice: "operator", bob: "operator" };

/** The part of the desk below a heading. */
function part(page: Page, name: string) {
  return page.getByRole("region", { name, exact: false });
}

async function waitForTitle(page: Page, title: string): Promise<void> {
  await page.waitForFunction((wanted) => document.title === wanted, title);
}

describe.skipIf(lacksBrowser)(`the desk${withoutBrowser}`, () => {
  it("shows what happens as it does, to those who may see it", async () => {
    await using running = await peopleStage({ ...OPERATORS, eve: "viewer" }, { script: SCRIPT });
    const [alice, bob, eve] = [
      await running.openAs("alice"),
      await running.openAs("bob"),
      await running.openAs("eve"),
    ];
    await startTo(running.clientOf("alice"), "wait for the replica", "text");
    await part(alice, "Running").getByRole("link", { name: "wait for the replica" }).waitFor();
    await part(eve, "Running").getByText("alice", { exact: true }).waitFor();
    expect(await eve.getByRole("textbox", { name: "What is to be done?" }).count()).toBe(0);
    await bob.getByText("Nothing runs.").waitFor();

    const { turns } = await running.clientOf("alice").listTurns({});
    await running.clientOf("alice").cancelTurn({ turnId: turns[0]!.turnId });
    await part(alice, "Ended").getByText("Canceled").waitFor();
    await alice.getByText("Nothing runs.").waitFor();
    expect(beyondSignIn(running.complaints)).toEqual([]);
  });

  it("counts in the title what waits for whoever looks, and shows it leave when the command line answers", async () => {
    const people = { ...OPERATORS, carol: "approver" };
    await using running = await peopleStage(people, { script: SCRIPT });
    const [alice, carol] = [await running.openAs("alice"), await running.openAs("carol")];
    await waitForTitle(alice, "Desk – breakglass");
    const client = running.clientOf("alice");
    const first = await startTo(client, "restart the first gateway", "approvalRequest");
    await startTo(client, "restart the second gateway", "approvalRequest");
    // What the call is for.
    await part(carol, "Waits for an answer")
      .getByRole("link", { name: "restart the first gateway" })
      .waitFor();
    for (const page of [alice, carol]) {
      await waitForTitle(page, "(2) Desk – breakglass");
      await page.getByRole("link", { name: "2 approvals wait for you" }).waitFor();
      expect(await part(page, "Waits for an answer").getByRole("article").count()).toBe(2);
    }
    // What is pointed at stays where it is, also once it is decided.
    await part(alice, "Waits for an answer").getByRole("article").first().hover();
    const approvalId = first.kind.case === "approvalRequest" ? first.kind.value.approvalId : "";
    const environment = running.commandsOf("carol");
    const answer = await runCommand(["approve", first.turnId, approvalId], { environment });
    expect(answer.status, answer.stderr).toBe(0);
    await waitForTitle(alice, "(1) Desk – breakglass");
    // It says who answered, and then leaves.
    await part(alice, "Waits for an answer").getByText("Allowed by carol").waitFor();
    await alice.mouse.move(0, 0);
    await alice.waitForFunction(() => document.querySelectorAll("#waiting article").length === 1);
    expect(beyondSignIn(running.complaints)).toEqual([]);
  });

  it("says whom an approval waits for that one may not answer", async () => {
    const settings = { BREAKGLASS_SELF_APPROVAL: "forbidden", BREAKGLASS_APPROVERS: "carol" };
    const people = { alice: "operator", carol: "operator" };
    await using running = await peopleStage(people, { script: SCRIPT, settings });
    const [alice, carol] = [await running.openAs("alice"), await running.openAs("carol")];
    await startTo(running.clientOf("alice"), "restart the gateway", "approvalRequest");
    await waitForTitle(carol, "(1) Desk – breakglass");
    await alice.getByText("Others answer for it", { exact: false }).waitFor();
    expect(await alice.title()).toBe("Desk – breakglass");
    expect(await alice.getByRole("button", { name: "Allow" }).count()).toBe(0);
  });

  it("leaves out what runs in a session that is not shared any more", async () => {
    await using running = await peopleStage(OPERATORS, { script: SCRIPT });
    const client = running.clientOf("alice");
    const { sessionId } = await startTo(client, "wait for the replica", "text");
    const share = { sessionId, with: { grantee: { case: "principal", value: "bob" } as const } };
    await client.shareSession({ ...share, access: 1 });
    const bob = await running.openAs("bob");
    const link = part(bob, "Running").getByRole("link", { name: "wait for the replica" });
    await link.waitFor();
    await bob.clock.install();
    await bob.reload();
    await link.waitFor();
    await client.unshareSession(share);
    // Until it looks, and no further: nothing else is to have told it.
    await bob.clock.pauseAt((await bob.evaluate(() => Date.now())) + 31_000);
    await bob.getByText("Nothing runs.").waitFor();
  });

  it("says why something failed, and what to do", async () => {
    await using running = await peopleStage(OPERATORS, { script: SCRIPT });
    await startTo(running.clientOf("alice"), "crash at once", "error");
    const page = await running.openAs("alice");
    await part(page, "Failed lately").getByText("tell it to go on", { exact: false }).waitFor();
  });

  it("goes on from what it knew when the server comes back", async () => {
    await using running = await peopleStage(OPERATORS, { script: SCRIPT });
    await startTo(running.clientOf("alice"), "wait for the replica", "text");
    const page = await running.openAs("alice");
    await part(page, "Running").getByRole("link", { name: "wait for the replica" }).waitFor();
    await running.fake.restart();
    await part(page, "Failed lately")
      .getByText("The server died under it", { exact: false })
      .waitFor();
  });

  it("speaks German to whose browser does", async () => {
    await using running = await peopleStage(OPERATORS, { script: SCRIPT, locale: "de-DE" });
    const page = await running.openAs("alice");
    await page.getByText("Nichts läuft.").waitFor();
    await startTo(running.clientOf("alice"), "restart the gateway", "approvalRequest");
    await waitForTitle(page, "(1) Übersicht – breakglass");
    expect(await page.evaluate(() => document.documentElement.lang)).toBe("de");
  });
});
