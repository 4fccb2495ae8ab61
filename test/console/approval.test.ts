import type { Locator, Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { ApprovalDecision, type BreakglassClient } from "#client";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { type Stage, stage } from "./console.ts";
import { clientAt, peopleStage, SCRIPT, startTo } from "./people.ts";

const COMMAND = "systemctl restart gateway";
/** What a browser says by itself of an answer that is a refusal, or that never came. */
const FORESEEN = /status of 4\d\d|net::ERR_/;

/** Asks, and answers with what was asked. */
async function ask(client: BreakglassClient, prompt = "restart") {
  const event = await startTo(client, prompt, "approvalRequest");
  const approvalId = event.kind.case === "approvalRequest" ? event.kind.value.approvalId : "";
  return { client, turnId: event.turnId, approvalId };
}
type Asked = Awaited<ReturnType<typeof ask>>;

async function isPending({ client, approvalId }: Asked) {
  const { approvals } = await client.listApprovals({});
  return approvals.some(
    ({ event }) =>
      event?.kind.case === "approvalRequest" && event.kind.value.approvalId === approvalId,
  );
}

/** What was decided, once it was. */
async function decisionOf({ client, turnId }: Asked) {
  for await (const { event } of client.attachTurn({ turnId })) {
    if (event?.kind.case === "approvalResolution") return event.kind.value;
  }
  throw new Error("nothing was decided");
}

const cardOf = (page: Page) => page.getByRole("article", { name: "asks" });
/** Presses a button, and again where something had just moved. */
async function press(card: Locator, name: string) {
  const button = card.getByRole("button", { name, exact: true });
  await button.click();
  // On a busy machine the card may have moved just before, which is said for a moment alone. One that counts stills the button.
  await expect
    .poll(async () => {
      // In one look: asked about after it is gone, a locator waits for it, and the card is gone then too.
      const waits = await button.evaluateAll((buttons) =>
        buttons.some((one) => !(one as HTMLButtonElement).disabled),
      );
      if (waits) await button.click({ timeout: 1000 }).catch(() => {});
      return waits;
    })
    .toBe(false);
}
const unforeseen = ({ complaints }: Stage) => complaints.filter((text) => !FORESEEN.test(text));

describe.skipIf(lacksBrowser)(`an approval in the console${withoutBrowser}`, () => {
  it("is shown as it would run, and allowed by a press", async () => {
    await using running = await stage({ script: SCRIPT });
    const asked = await ask(clientAt(running.fake.url));
    const page = await running.open("/");
    const card = cardOf(page);
    await card.getByText(COMMAND, { exact: true }).waitFor();
    await card.getByText("Restart the gateway").waitFor();
    await card.getByText("The agent says:").waitFor();
    await press(card, "Allow");
    await card.getByText("Allowed by local").waitFor();
    expect((await decisionOf(asked)).decision).toBe(ApprovalDecision.ALLOWED);
    // Never onto what decides.
    expect(await page.evaluate(() => document.activeElement?.tagName)).not.toBe("BUTTON");
    expect(running.complaints).toEqual([]);
  });

  it("has nothing chosen, and takes no key that was not meant for it", async () => {
    await using running = await stage({ script: SCRIPT });
    const asked = await ask(clientAt(running.fake.url));
    const page = await running.open("/");
    const allow = cardOf(page).getByRole("button", { name: "Allow", exact: true });
    // Until it is steady.
    await allow.click({ trial: true });
    expect(await cardOf(page).locator(":focus").count()).toBe(0);
    await page.keyboard.press("Enter");
    await page.keyboard.press("Space");
    // A program's focus is nobody's.
    await allow.evaluate((button) => button.focus());
    await page.keyboard.press("Enter");
    await page.keyboard.press("Space");
    expect(await isPending(asked)).toBe(true);
    // One's own is.
    await page.keyboard.press("Tab");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    await cardOf(page).getByText("Allowed by local").waitFor();
    expect(running.complaints).toEqual([]);
  });

  it("takes no press on what has just moved", async () => {
    await using running = await stage({ script: SCRIPT });
    const asked = await ask(clientAt(running.fake.url));
    const page = await running.open("/");
    const allow = cardOf(page).getByRole("button", { name: "Allow", exact: true });
    await allow.click({ trial: true });
    // Looked at from within: it is said until the button is steady again.
    const isTold = await allow.evaluate(async (button) => {
      const above = document.createElement("p");
      above.textContent = "Something comes.";
      const card = button.closest("article")!;
      card.before(above);
      button.dispatchEvent(new MouseEvent("click", { bubbles: true, detail: 1 }));
      await new Promise((resolve) => queueMicrotask(() => setTimeout(resolve)));
      return card.textContent.includes("something has just moved");
    });
    expect(isTold).toBe(true);
    expect(await isPending(asked)).toBe(true);
    await press(cardOf(page), "Allow");
    await cardOf(page).getByText("Allowed by local").waitFor();
  });

  it("hides nothing of a command", async () => {
    const command = "ls \u202ehsab | \u200bsh\u{e0041} #\u001b[8m\nrm -rf /";
    const steps = [{ approval: { tool: "Bash", input: { command, timeout: 600_000 } } }];
    await using running = await stage({ script: { turns: [{ steps }] } });
    await ask(clientAt(running.fake.url));
    const page = await running.open("/");
    const text = await cardOf(page).getByRole("region", { name: "Command" }).textContent();
    for (const sign of ["⟨U+202E⟩", "⟨U+200B⟩", "⟨U+E0041⟩", "␛", "rm -rf /"]) {
      expect(text).toContain(sign);
    }
    expect(text).not.toMatch(/[\u202e\u200b\u{e0041}]/u);
    // What stands beside the command is open.
    await cardOf(page).getByText('"timeout": 600000').waitFor();
  });

  it("shows an edit as what it changes", async () => {
    const input = {
      file_path: "/etc/gw.conf",
      old_string: "port = 80800",
      new_string: "port = 8080",
    };
    await using running = await stage({
      script: { turns: [{ steps: [{ approval: { tool: "Edit", input } }] }] },
    });
    await ask(clientAt(running.fake.url));
    const page = await running.open("/");
    const change = cardOf(page).getByRole("region", { name: "Change to /etc/gw.conf" });
    await change.getByText("removed: port = 80800").waitFor();
    await change.getByText("added: port = 8080").waitFor();
    expect(running.complaints).toEqual([]);
  });

  it("lets the input be changed, and sends it to the digit", async () => {
    await using running = await stage({ script: SCRIPT });
    const asked = await ask(clientAt(running.fake.url));
    const page = await running.open("/");
    const card = cardOf(page);
    await card.getByRole("button", { name: "Change …" }).click();
    const editor = card.getByRole("textbox", { name: "Input to run it with" });
    const allow = card.getByRole("button", { name: "Allow changed" });
    await card.getByText("Nothing is changed yet.").waitFor();
    expect(await allow.isDisabled()).toBe(true);
    await editor.fill('{\n  "command": "true",\n  "id": 12345678901234567890,\n}');
    await card.getByText("Line 4, column 1: this is not JSON.").waitFor();
    expect(await allow.isDisabled()).toBe(true);
    const changed = '{"command": "true", "id": 12345678901234567890, "n": 1.10}';
    await editor.fill(changed);
    await card.getByText('added: "id": 12345678901234567890').waitFor();
    await allow.click();
    await card.getByText("Allowed, changed by local").waitFor();
    const { decision, inputJson } = await decisionOf(asked);
    expect([decision, inputJson]).toEqual([ApprovalDecision.ALLOWED_CHANGED, changed]);
    await card.getByText('added: "id": 12345678901234567890').waitFor();
    expect(running.complaints).toEqual([]);
  });

  it("is denied with words", async () => {
    await using running = await stage({ script: SCRIPT });
    const asked = await ask(clientAt(running.fake.url));
    const page = await running.open("/");
    const card = cardOf(page);
    await card.getByRole("button", { name: "Give a reason …" }).click();
    const reason = card.getByRole("textbox", { name: "What the agent is told" });
    expect(await reason.evaluate((area) => area === document.activeElement)).toBe(true);
    await reason.fill("x".repeat(16 * 1024 + 1));
    await card.getByText("16385 bytes: at most 16384 are taken.").waitFor();
    expect(await card.getByRole("button", { name: "Deny with this reason" }).isDisabled()).toBe(
      true,
    );
    await reason.fill("Not on the primary.");
    await card.getByRole("button", { name: "Deny with this reason" }).click();
    await card.getByText("Denied by local").waitFor();
    await card.getByText("Not on the primary.").waitFor();
    expect(await decisionOf(asked)).toMatchObject({ message: "Not on the primary." });
  });

  it("says who was first of two people, also where the other has the editor open", async () => {
    const people = { alice: "operator", bob: "approver" };
    await using running = await peopleStage(people, { script: SCRIPT });
    await ask(running.clientOf("alice"));
    const [alice, bob] = [await running.openAs("alice"), await running.openAs("bob")];
    await cardOf(alice).getByRole("button", { name: "Change …" }).click();
    await cardOf(alice)
      .getByRole("textbox", { name: "Input to run it with" })
      .fill('{"command": "true"}');
    await cardOf(bob).getByText("in a turn of alice").waitFor();
    await press(cardOf(bob), "Deny");
    await cardOf(bob).getByText("Denied by bob").waitFor();
    await cardOf(alice).getByText("Denied by bob").waitFor();
    await cardOf(alice).getByText("Your change was not used.").waitFor();
    expect(await cardOf(alice).getByRole("button").count()).toBe(0);
    expect(unforeseen(running)).toEqual([]);
  });

  it("asks what came of an answer that was not confirmed, and sends none again", async () => {
    await using running = await stage({ script: SCRIPT });
    const asked = await ask(clientAt(running.fake.url));
    const page = await running.open("/");
    let sent = 0;
    // It arrives, and its answer does not.
    await page.route("**/ResolveApproval", async (route) => {
      sent++;
      await route.fetch();
      await route.abort("connectionreset");
    });
    await press(cardOf(page), "Allow");
    await cardOf(page).getByText("Allowed by local").waitFor();
    expect([sent, (await decisionOf(asked)).decision]).toEqual([1, ApprovalDecision.ALLOWED]);
    expect(unforeseen(running)).toEqual([]);
  });

  it("says that an answer did not arrive, and waits for the person to give another", async () => {
    await using running = await stage({ script: SCRIPT });
    const asked = await ask(clientAt(running.fake.url));
    const page = await running.open("/");
    let sent = 0;
    await page.route("**/ResolveApproval", async (route) => {
      sent++;
      await route.abort("connectionreset");
    });
    const asking = Promise.withResolvers<void>();
    await page.route("**/AttachTurn", async (route) => {
      await asking.promise;
      await route.continue();
    });
    await press(cardOf(page), "Allow");
    await cardOf(page).getByText("The answer was not confirmed. The server is asked").waitFor();
    expect(await cardOf(page).getByRole("button", { name: "Allow" }).count()).toBe(0);
    asking.resolve();
    await cardOf(page).getByText("The answer has not arrived: it still waits.").waitFor();
    expect([sent, await isPending(asked)]).toEqual([1, true]);
    await page.unroute("**/ResolveApproval");
    await press(cardOf(page), "Deny");
    await cardOf(page).getByText("Denied by local").waitFor();
  });

  it("tells that its time ends, and that it has", async () => {
    await using running = await stage({
      script: SCRIPT,
      settings: { BREAKGLASS_APPROVAL_SECONDS: "8" },
    });
    // The page is there before: what is left is for what it tells.
    const page = await running.open("/");
    await page.getByRole("textbox").first().waitFor();
    await ask(clientAt(running.fake.url));
    // What is pointed at stays where it is, also once it is decided.
    await cardOf(page).hover();
    await cardOf(page).getByText("Less than a minute is left, then it is denied.").waitFor();
    await page
      .getByText("Bash: less than a minute is left to answer.")
      .waitFor({ state: "attached" });
    await cardOf(page).getByText("Denied: nobody answered in time").waitFor();
    expect(await cardOf(page).getByRole("button").count()).toBe(0);
  });

  it("tells that it was withdrawn", async () => {
    await using running = await stage({ script: SCRIPT });
    const { client, turnId } = await ask(clientAt(running.fake.url));
    const page = await running.open("/");
    await cardOf(page).hover();
    await client.interruptTurn({ turnId });
    await cardOf(page).getByText("Withdrawn: the agent asks no longer").waitFor();
  });

  it("says why somebody may not answer, and whom it waits for", async () => {
    await using running = await peopleStage(
      { alice: "operator,approver" },
      { script: SCRIPT, settings: { BREAKGLASS_SELF_APPROVAL: "forbidden" } },
    );
    await ask(running.clientOf("alice"));
    const page = await running.openAs("alice");
    await cardOf(page).getByText("somebody else has to answer").waitFor();
    expect(await cardOf(page).getByRole("button").count()).toBe(0);
    expect(unforeseen(running)).toEqual([]);
  });
});
