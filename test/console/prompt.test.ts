import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { PermissionMode, streamTurn } from "#client";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { type Stage, stage } from "./console.ts";
import { clientAt, peopleStage, SCRIPT, startTo } from "./people.ts";

const FORESEEN = /status of 4\d\d|status of 5\d\d|net::ERR_/;
const TURN = /\/turns\/[\da-f-]{36}$/;
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==",
  "base64",
);

const boxOf = (page: Page) => page.getByRole("textbox", { name: "What is to be done?" });
const sendOf = (page: Page) => page.getByRole("button", { name: "Send", exact: true });
const clientOf = ({ fake }: Stage) => clientAt(fake.url);
const unforeseen = ({ complaints }: Stage) => complaints.filter((text) => !FORESEEN.test(text));

async function turnsOf(running: Stage) {
  return (await clientOf(running).listTurns({})).turns;
}

/** Lets go of the first RunTurn of the page when it is told to, and loses its answer if it is told so. */
async function heldRun(page: Page) {
  const come = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const ids: string[] = [];
  await page.route("**/RunTurn", async (route) => {
    ids.push(
      /"?([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})/.exec(route.request().postData() ?? "")?.[1] ??
        "",
    );
    come.resolve();
    await go.promise;
    await route.continue().catch(() => {});
  });
  return { come: come.promise, go: go.resolve, ids };
}

describe.skipIf(lacksBrowser)(`the prompt box of the console${withoutBrowser}`, () => {
  it("sends on Enter, breaks on Shift-Enter, and leaves a composition alone", async () => {
    await using running = await stage({ script: SCRIPT });
    const page = await running.open("/");
    const box = boxOf(page);
    await box.click();
    await page.keyboard.type("one");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("two");
    // The Enter that takes a word that is composed, as Chrome and as Safari tell of it.
    await box.evaluate((area) => {
      const about = { key: "Enter", bubbles: true, cancelable: true };
      area.dispatchEvent(new KeyboardEvent("keydown", { ...about, isComposing: true }));
      area.dispatchEvent(new KeyboardEvent("keydown", { ...about, keyCode: 229 }));
    });
    expect(await turnsOf(running)).toEqual([]);
    await page.keyboard.press("Enter");
    await page.waitForURL(TURN);
    expect((await turnsOf(running)).map(({ prompt }) => prompt)).toEqual(["one\ntwo"]);
    expect(running.complaints).toEqual([]);
  });

  it("grows with its text", async () => {
    await using running = await stage({ script: SCRIPT });
    const page = await running.open("/");
    const before = (await boxOf(page).boundingBox())!.height;
    await boxOf(page).fill("line\n".repeat(10));
    await expect
      .poll(async () => (await boxOf(page).boundingBox())!.height)
      .toBeGreaterThan(before + 50);
  });

  it("keeps a draft over a reload, with its choices and small files, until it is sent", async () => {
    await using running = await stage({ script: SCRIPT });
    const page = await running.open("/");
    await boxOf(page).fill("Repair it.");
    await page.getByLabel("Mode", { exact: true }).selectOption("ask");
    await page.getByText("Each call of a tool that no rule allows waits").waitFor();
    await page
      .getByLabel("Attach files …")
      .setInputFiles([{ name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("small") }]);
    await page.getByText("a.txt").waitFor();
    await page.reload();
    await expect.poll(() => boxOf(page).inputValue()).toBe("Repair it.");
    await expect.poll(() => page.getByLabel("Mode", { exact: true }).inputValue()).toBe("ask");
    await page.getByText("a.txt").waitFor();
    await sendOf(page).click();
    await page.waitForURL(TURN);
    const [turn] = await turnsOf(running);
    expect(turn).toMatchObject({ permissionMode: PermissionMode.ASK });
    expect(turn?.attachments).toMatchObject([{ name: "a.txt", mediaType: "text/plain", size: 5n }]);
    await page.goto(running.fake.url);
    expect(await boxOf(page).inputValue()).toBe("");
    expect(running.complaints).toEqual([]);
  });

  it("asks for the model and the agent that were chosen, and tells what the server's are", async () => {
    await using running = await stage({ script: SCRIPT });
    const page = await running.open("/");
    await boxOf(page).fill("Repair it.");
    await page.getByText("More", { exact: true }).click();
    const model = page.getByLabel("Model", { exact: true });
    expect(await model.getAttribute("placeholder")).toMatch(/, if empty$|as the server has it/);
    await model.fill("a-model");
    await page.getByLabel("Agent definition", { exact: true }).fill("repairer");
    await sendOf(page).click();
    await page.waitForURL(TURN);
    const [turn] = await turnsOf(running);
    const { sessionId = "" } = turn ?? {};
    const { session } = await clientAt(running.fake.url).getSession({ sessionId });
    expect(session).toMatchObject({ model: "a-model", agent: "repairer" });
    expect(running.complaints).toEqual([]);
  });

  it("forgets a draft when somebody signs out", async () => {
    await using running = await peopleStage({ alice: "operator" }, { script: SCRIPT });
    const page = await running.openAs("alice");
    await boxOf(page).fill("Nobody else's.");
    await expect
      .poll(() => page.evaluate(() => JSON.stringify(sessionStorage)))
      .toContain("Nobody");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Token", { exact: true }).waitFor();
    const kept = await page.evaluate(() => JSON.stringify([sessionStorage, localStorage]));
    expect(kept).not.toContain("Nobody");
  });

  it("starts one turn for two Enters", async () => {
    await using running = await stage({ script: SCRIPT });
    const page = await running.open("/");
    const held = await heldRun(page);
    await boxOf(page).fill("Repair it.");
    await page.keyboard.press("Enter");
    await held.come;
    await page.keyboard.press("Enter");
    await page.getByText("On its way …").waitFor();
    expect(await boxOf(page).getAttribute("readonly")).not.toBeNull();
    held.go();
    await page.waitForURL(TURN);
    expect([held.ids.length, (await turnsOf(running)).length]).toEqual([1, 1]);
  });

  it("joins its turn when it is loaded again before the answer came", async () => {
    await using running = await stage({ script: SCRIPT });
    const page = await running.open("/");
    const ids: string[] = [];
    const arrived = Promise.withResolvers<void>();
    await page.route("**/RunTurn", async (route) => {
      ids.push(route.request().postDataBuffer()?.toString("latin1") ?? "");
      // It arrives, and what is answered does not.
      if (ids.length > 1) return await route.continue();
      for await (const _ of streamTurn(clientOf(running), { run: runOf(ids[0] ?? "") })) break;
      arrived.resolve();
    });
    await boxOf(page).fill("Repair it.");
    await page.keyboard.press("Enter");
    await arrived.promise;
    await page.reload();
    await page.waitForURL(TURN);
    expect((await turnsOf(running)).length).toBe(1);
    expect(ids.length).toBe(2);
  });

  it("sends nothing by itself when its tab comes back after a while", async () => {
    await using running = await stage({ script: SCRIPT });
    const page = await running.open("/");
    const held = await heldRun(page);
    await boxOf(page).fill("Restart the database.");
    await page.keyboard.press("Enter");
    await held.come;
    await page.evaluate(() => {
      addEventListener("pagehide", () => {
        for (const [key, value] of Object.entries(sessionStorage)) {
          if (!key.endsWith("/draft/new")) continue;
          const draft = JSON.parse(value) as { sentAt: number };
          sessionStorage.setItem(
            key,
            JSON.stringify({ ...draft, sentAt: draft.sentAt - 3_600_000 }),
          );
        }
      });
    });
    await page.reload();
    await page.getByText(/did not arrive|had not arrived/).waitFor();
    await expect.poll(() => boxOf(page).inputValue()).toBe("Restart the database.");
    expect([held.ids.length, (await turnsOf(running)).length]).toEqual([1, 0]);
  });

  it("sends nothing by itself when its machine has slept", async () => {
    await using running = await stage({ script: SCRIPT });
    const page = await (await running.newPerson()).newPage();
    await page.clock.install();
    await page.goto(running.fake.url);
    let isDown = true;
    const runs: number[] = [];
    await page.route("**/RunTurn", async (route) => {
      runs.push(Date.now());
      await (isDown ? route.abort() : route.continue());
    });
    await boxOf(page).fill("Restart the database.");
    await page.keyboard.press("Enter");
    await expect.poll(() => runs.length).toBeGreaterThan(2);
    isDown = false;
    const before = runs.length;
    await page.clock.fastForward("08:00:00");
    await page.getByRole("button", { name: "Send again" }).waitFor();
    expect([runs.length - before, (await turnsOf(running)).length]).toEqual([0, 0]);
  });

  it("sends it again by itself over a connection that was cut, as the same turn", async () => {
    await using running = await stage({ script: SCRIPT, faults: ["http:503:2"] });
    const page = await running.open("/");
    await boxOf(page).fill("Repair it.");
    await page.keyboard.press("Enter");
    await page.waitForURL(TURN);
    expect((await turnsOf(running)).length).toBe(1);
  });

  it.each([
    ["SPENDING_LIMIT", "What you may spend today is spent."],
    ["QUOTA_EXCEEDED", "You hold as much as you may."],
    ["BYPASS_FORBIDDEN", "Choose the mode that asks."],
    ["ROLE_MISSING", "You lack the role that this takes."],
    ["INVALID_ARGUMENT", "refused by the fake"],
    ["SESSION_FULL", "Go on in a new one."],
  ])("keeps the draft where it is refused with %s, and says what to mend", async (reason, says) => {
    await using running = await stage({ script: SCRIPT, faults: [`refuse:${reason}@RunTurn:1`] });
    const page = await running.open("/");
    await boxOf(page).fill("Repair it.");
    await page.keyboard.press("Enter");
    await page.getByText(says).first().waitFor();
    expect(await boxOf(page).inputValue()).toBe("Repair it.");
    if (reason === "INVALID_ARGUMENT") {
      const says = await boxOf(page).getAttribute("aria-describedby");
      expect(await page.locator(`[id="${says}"]`).textContent()).toContain("refused by the fake");
    }
    if (reason === "QUOTA_EXCEEDED")
      await page.getByText("Look at the session to delete").waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(TURN);
    expect(unforeseen(running)).toEqual([]);
  });

  it("says when it comes back where no place is free, and stops when it is told to", async () => {
    await using running = await stage({
      script: SCRIPT,
      faults: ["refuse:TOO_MANY_TURNS@RunTurn"],
    });
    const page = await running.open("/");
    await boxOf(page).fill("Repair it.");
    await page.keyboard.press("Enter");
    await page.getByText("As many turns run as may run at a time. It is sent again at").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    const again = page.locator("button:enabled", { hasText: /^Send( again)?$/ });
    await again.waitFor();
    expect(await turnsOf(running)).toEqual([]);
    await running.fake.clearFaults();
    await again.click();
    await page.waitForURL(TURN);
    expect((await turnsOf(running)).length).toBe(1);
  });

  it("offers what can be done where a turn is in the way, and sends when that has ended", async () => {
    await using running = await stage({ script: SCRIPT });
    const client = clientOf(running);
    const { sessionId, turnId } = await startTo(client, "Hello.", "result");
    const page = await running.open(`/turns/${turnId}`);
    const box = page.getByRole("textbox", { name: "What is to be done next?" });
    await box.waitFor();
    const inTheWay = await startTo(client, "restart", "approvalRequest", { sessionId });
    await box.fill("And then?");
    await page.keyboard.press("Enter");
    await page.getByText("A turn runs in this session.").waitFor();
    const link = page.getByRole("link", { name: "Go to the turn that runs" });
    expect(await link.getAttribute("href")).toBe(`/turns/${inTheWay.turnId}`);
    await page.getByRole("button", { name: "Tell it to that turn" }).waitFor();
    await page.getByRole("button", { name: "Send when it has ended" }).click();
    await page.getByText("It is sent when the turn that runs has ended").waitFor();
    await client.cancelTurn({ turnId: inTheWay.turnId });
    await page.getByText("Done: And then?").first().waitFor();
    const prompts = (await turnsOf(running)).map(({ prompt }) => prompt);
    expect(prompts).toEqual(["And then?", "restart", "Hello."]);
    expect(unforeseen(running)).toEqual([]);
  });

  it("takes files by picker, paste and drop, shows images, and sends them", async () => {
    await using running = await stage({ script: SCRIPT });
    const page = await running.open("/");
    await boxOf(page).fill("Look at these.");
    await page
      .getByLabel("Attach files …")
      .setInputFiles([{ name: "screen.png", mimeType: "image/png", buffer: PNG }]);
    for (const [type, name] of [
      ["paste", "screen.png"],
      ["drop", "gateway.conf"],
    ] as const) {
      await boxOf(page).evaluate(
        (area, [type, name, bytes]) => {
          const data = new DataTransfer();
          const file = new File([new Uint8Array(bytes as number[])], name as string, {
            type: name === "screen.png" ? "image/png" : "",
          });
          data.items.add(file);
          const about = { bubbles: true, cancelable: true };
          area.dispatchEvent(
            type === "paste"
              ? new ClipboardEvent("paste", { ...about, clipboardData: data })
              : new DragEvent("drop", { ...about, dataTransfer: data }),
          );
        },
        [type, name, [...PNG]] as const,
      );
    }
    const list = page.getByRole("list", { name: "Files that go with it" });
    // A second one of the same name gets another.
    await list.getByText("screen-2.png").waitFor();
    await list.getByText("gateway.conf").waitFor();
    const shown = await list.locator("img").evaluateAll(async (images) => {
      await Promise.all(images.map((image) => (image as HTMLImageElement).decode()));
      return images.length;
    });
    expect(shown).toBe(2);
    await page.getByRole("button", { name: "Remove screen-2.png" }).press("Enter");
    await list.getByText("screen-2.png").waitFor({ state: "detached" });
    await boxOf(page).press("Enter");
    await page.waitForURL(TURN);
    expect((await turnsOf(running))[0]?.attachments).toMatchObject([
      { name: "screen.png", mediaType: "image/png" },
      { name: "gateway.conf", mediaType: "application/octet-stream" },
    ]);
    expect(running.complaints).toEqual([]);
  });

  it("says of which file why it cannot be sent, and sends none of them", async () => {
    await using running = await stage({
      script: SCRIPT,
      settings: { BREAKGLASS_MAX_ATTACHMENT_BYTES: "6000000" },
    });
    const page = await running.open("/");
    await boxOf(page).fill("Look.");
    const picker = page.getByLabel("Attach files …");
    const item = (name: string) => page.getByRole("listitem").filter({ hasText: name });
    await picker.setInputFiles([
      { name: "large.log", mimeType: "text/plain", buffer: Buffer.alloc(6_000_001) },
      { name: "photo.png", mimeType: "image/png", buffer: Buffer.alloc(4_500_000) },
      { name: "turn\u202etxt.exe", mimeType: "text/plain", buffer: Buffer.from("x") },
    ]);
    await item("large.log").getByText("At most 6 MB may be sent together.").waitFor();
    await item("photo.png").getByText("The agent is shown images up to 3.93 MB.").waitFor();
    await item("txt.exe").getByText("characters that nobody sees").waitFor();
    await page.getByRole("button", { name: "Remove large.log" }).click();
    await page.getByRole("button", { name: "Remove turn" }).click();
    await expect.poll(() => sendOf(page).isDisabled()).toBe(true);
    await boxOf(page).press("Enter");
    expect(await turnsOf(running)).toEqual([]);
    await page.getByRole("button", { name: "Send as a file, not shown" }).click();
    await expect.poll(() => sendOf(page).isEnabled()).toBe(true);
    const many = Array.from({ length: 20 }, (_, n) => ({
      name: `n${n}.txt`,
      mimeType: "text/plain",
      buffer: Buffer.from("x"),
    }));
    await picker.setInputFiles(many);
    await item("n19.txt").getByText("At most 20 files may be sent.").waitFor();
  });

  it("says that a text is too long before it is sent", async () => {
    await using running = await stage({
      script: SCRIPT,
      settings: { BREAKGLASS_MAX_PROMPT_BYTES: "1024" },
    });
    const page = await running.open("/");
    await boxOf(page).fill("ä".repeat(513));
    await page.getByText("The text has 1,026 bytes; at most 1,024 are taken.").waitFor();
    expect(await sendOf(page).isDisabled()).toBe(true);
    expect(await boxOf(page).getAttribute("aria-invalid")).toBe("true");
  });

  it("offers no mode that the server refuses, and says that it is offline", async () => {
    await using running = await stage({
      script: SCRIPT,
      settings: { BREAKGLASS_PERMISSION_MODE: "ask" },
    });
    const page = await running.open("/");
    await page.getByText("This server's agents ask first").waitFor();
    expect(await page.getByLabel("Mode", { exact: true }).count()).toBe(0);
    await page.context().setOffline(true);
    await page.getByText("This device is offline.").waitFor();
    await page.context().setOffline(false);
    await page.getByText("This device is offline.").waitFor({ state: "detached" });
  });
});

/** What a request of the page asks for, as far as these tests do: its ids and its prompt. */
function runOf(body: string) {
  const requestId = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/.exec(body)?.[0] ?? "";
  return { requestId, prompt: "Repair it." };
}
