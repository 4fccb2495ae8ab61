import { describe, expect, it } from "vitest";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { startCuttingProxy } from "../../src/conformance/cutting-proxy.ts";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { stage } from "./console.ts";
import {
  allow,
  atRest,
  distanceFromEnd,
  logOn,
  readAllRows,
  startTurn,
  wheel,
} from "./turn-pages.ts";

/** A server that is away is a failed load; of what the page itself does none is allowed. */
function ofThePage(complaints: readonly string[]): string[] {
  return complaints.filter((text) => !text.startsWith("Failed to load resource"));
}

const numbered = (times: number, delay: string, last: object[] = []) => ({
  turns: [
    {
      steps: [
        { repeat: { times, steps: [{ text: "Look {{n}}." }, { delay }] } },
        ...last,
        { text: "Done." },
      ] as never,
    },
  ],
});

/** Here a turn waits until it is told to go on, by `allow`. */
const GATE = { approval: { tool: "Bash", input: { command: "systemctl restart gateway" } } };

/** The rows that a turn of so many numbered looks has. */
function looksIn(rows: ReadonlyMap<number, string>): string[] {
  return [...rows]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([, text]) => text.match(/Look \d+\./g) ?? []);
}
const looks = (count: number) => Array.from({ length: count }, (_, n) => `Look ${n + 1}.`);

describe.skipIf(lacksBrowser)(`a turn in the console${withoutBrowser}`, () => {
  it("is seen from its prompt to its result", async () => {
    await using running = await stage();
    const page = await running.open("/");
    await page.getByRole("textbox", { name: "What is to be done?" }).fill("Repair the gateway.");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/turns\/[\da-f-]{36}$/);
    await page.getByRole("heading", { name: "Repair the gateway." }).waitFor();
    await page.getByText("Repaired: the gateway listens on a port that exists.").first().waitFor();
    await page.getByText(/^✓.? Succeeded$/).waitFor();
    await page.getByRole("heading", { name: "Result" }).waitFor();
    expect(running.complaints).toEqual([]);
  });

  it("has each call with its input as it is read, its answer and how it ended", async () => {
    const steps = [
      { thinking: "The port first." },
      {
        tool: {
          name: "Bash",
          input: { command: "ss -ltn", description: "Looks at the ports", timeout: 5000 },
          output: Array.from({ length: 400 }, (_, n) => `\u001b[32mline ${n + 1}\u001b[0m`).join(
            "\n",
          ),
        },
      },
      {
        tool: {
          name: "Edit",
          input: {
            file_path: "/etc/gw.conf",
            old_string: "port = 80800",
            new_string: "port = 8080",
          },
          output: "no such file",
          is_error: true,
        },
      },
      { tool: { name: "mcp__db", input: { rows: [1, 2], id: 7 }, output: "[]" } },
      { text: "Done." },
    ];
    await using running = await stage({ script: { turns: [{ steps }] } });
    const page = await running.open(`/turns/${await startTurn(running.fake, "Look.")}`);
    await page.getByRole("heading", { name: "Result" }).waitFor();
    await page.keyboard.press("Home");

    await page.getByRole("button", { name: "Thinking" }).click();
    await page.getByText("The port first.").waitFor();
    const bash = page.getByRole("article", { name: "Bash ss -ltn: done" });
    await bash.getByText("Looks at the ports").waitFor();
    await bash.getByText("at most 5000 ms").waitFor();
    expect(await bash.getByText("line 200", { exact: true }).count()).toBe(0);
    await bash.getByRole("button", { name: "Show all 400 lines" }).click();
    await bash.getByRole("searchbox", { name: "Search in it" }).fill("LINE 2");
    await bash.getByText("1 of 111").waitFor();
    await bash.getByRole("searchbox").press("Shift+Enter");
    await bash.getByText("line 299", { exact: true }).waitFor();

    await page.keyboard.press("Escape");
    await logOn(page).focus();
    const edit = page.getByRole("article", { name: "Edit /etc/gw.conf: failed" });
    await page.getByRole("navigation", { name: "Tools" }).getByText("/etc/gw.conf").click();
    await edit.getByText("-port = 80800").waitFor();
    await edit.getByText("+port = 8080").waitFor();
    await edit.getByText("failed", { exact: true }).waitFor();
    expect(await edit.evaluate((row) => row === document.activeElement)).toBe(true);
    await page.keyboard.press("j");
    const query = page.getByRole("article", { name: /^mcp__db/ });
    await query.getByText("rows:", { exact: true }).waitFor();
    expect(running.complaints).toEqual([]);
  });

  it("has subagents' work below the call that started it, and retries as one line", async () => {
    const said = (text: string, parent: string | null) => ({
      type: "assistant",
      message: { id: `m-${text}`, role: "assistant", content: [{ type: "text", text }] },
      parent_tool_use_id: parent,
      session_id: "s",
    });
    const called = (id: string, parent: string | null) => ({
      type: "assistant",
      message: {
        id: `m-${id}`,
        role: "assistant",
        content: [{ type: "tool_use", id, name: "Task", input: { description: `task ${id}` } }],
      },
      parent_tool_use_id: parent,
      session_id: "s",
    });
    const steps = [
      { line: called("one", null) },
      { line: called("two", null) },
      { line: said("of two", "two") },
      { line: said("of one", "one") },
      { line: called("three", "one") },
      { line: said("of three", "three") },
      { retry: { times: 3, status: 529, delay: "10ms" } },
      { text: "Done." },
    ];
    await using running = await stage({ script: { turns: [{ steps: steps as never }] } });
    const page = await running.open(`/turns/${await startTurn(running.fake, "Look.")}`);
    await page.getByRole("heading", { name: "Result" }).waitFor();
    const order = ["task one", "of one", "task three", "of three", "task two", "of two"];
    const places: { x: number; y: number }[] = [];
    for (const text of order) {
      const box = await logOn(page).getByText(text, { exact: true }).first().boundingBox();
      places.push(box!);
    }
    expect(places.map(({ y }) => y)).toEqual(places.map(({ y }) => y).toSorted((a, b) => a - b));
    const [one, ofOne, , ofThree, two] = places;
    expect(two!.x).toBe(one!.x);
    expect(ofOne!.x).toBeGreaterThan(0);
    expect(ofThree!.x).toBeGreaterThan(ofOne!.x);
    await page.getByText("attempt 3 of 10").waitFor();
    expect(await page.getByText("Retrying").count()).toBe(1);
    expect(running.complaints).toEqual([]);
  });

  it("shows an approval at its call, and what was decided by whom", async () => {
    const approval = {
      tool: "Bash",
      input: { command: "systemctl restart gateway" },
      output: "restarted",
      allowed: [{ text: "It runs again." }],
    };
    await using running = await stage({ script: { turns: [{ steps: [{ approval }] }] } });
    const turnId = await startTurn(running.fake, "Restart it.", PermissionMode.ASK);
    const page = await running.open(`/turns/${turnId}`);
    await page.getByText(/^!.? Waiting for an approval$/).waitFor();
    const call = page.getByRole("article", { name: /^Bash/ }).first();
    await call.getByRole("button", { name: "Allow", exact: true }).click();
    await page.getByText("It runs again.").first().waitFor();
    await logOn(page).getByText("Allowed by local").waitFor();
    await call.getByText("restarted", { exact: true }).waitFor();
    expect(running.complaints).toEqual([]);
  });

  it("comes back to the same place when it is loaded again in the middle", async () => {
    await using running = await stage({ script: numbered(300, "1ms", [{ delay: "60s" }]) });
    const turnId = await startTurn(running.fake, "Look.");
    const page = await running.open(`/turns/${turnId}`);
    await page.getByText("Look 300.").waitFor();
    await wheel(page, -4000);
    await expect.poll(() => distanceFromEnd(page)).toBeGreaterThan(3000);
    await atRest(page);
    const first = page.getByText(/^Look \d+\.$/).nth(8);
    const text = (await first.textContent())!;
    const before = (await page.getByText(text, { exact: true }).boundingBox())!;
    await page.reload();
    await page.getByText(text, { exact: true }).waitFor();
    await expect
      .poll(async () => (await page.getByText(text, { exact: true }).boundingBox())?.y)
      .toBeCloseTo(before.y, -1);
    expect(await page.getByText("Look 300.").count()).toBe(0);

    // At the end a reload comes to the end.
    await page.keyboard.press("End");
    await page.getByText("Look 300.").waitFor();
    await atRest(page);
    await page.reload();
    await page.getByText("Look 300.").waitFor();
    await expect.poll(() => distanceFromEnd(page)).toBeLessThan(2);
    expect(running.complaints).toEqual([]);
  });

  it("is opened at the event that an address names", async () => {
    await using running = await stage({ script: numbered(300, "1ms") });
    const turnId = await startTurn(running.fake, "Look.");
    const page = await running.open(`/turns/${turnId}#120`);
    const row = page.getByText(/^Look 119\.$/);
    await row.waitFor();
    await expect
      .poll(async () => {
        const [log, box] = [await logOn(page).boundingBox(), await row.boundingBox()];
        return Math.abs(box!.y - log!.y);
      })
      .toBeLessThan(40);
    await page.goto(`${running.fake.url}/turns/${turnId}#99999`);
    await page.reload();
    await page.getByText("This turn has no event 99999.").waitFor();
    expect(running.complaints).toEqual([]);
  });

  it("stays at its end while the reader does, and else says how much is new", async () => {
    const more = { repeat: { times: 60, steps: [{ text: "Now look {{n}}." }, { delay: "10ms" }] } };
    await using running = await stage({
      script: numbered(60, "1ms", [GATE, more, { delay: "60s" }]),
    });
    const turnId = await startTurn(running.fake, "Look.", PermissionMode.ASK);
    const page = await running.open(`/turns/${turnId}`);
    await page.getByText("Look 60.", { exact: true }).waitFor();
    await expect.poll(() => distanceFromEnd(page)).toBeLessThan(2);
    await wheel(page, -600);
    await expect.poll(() => distanceFromEnd(page)).toBeGreaterThan(500);
    await atRest(page);
    const text = (await page
      .getByText(/^Look \d+\.$/)
      .nth(8)
      .textContent())!;
    const held = page.getByText(text, { exact: true });
    const { y } = (await held.boundingBox())!;
    await allow(running.fake, turnId);
    const button = page.getByRole("button", { name: "60 new" });
    await button.waitFor();
    await atRest(page);
    expect((await held.boundingBox())!.y).toBe(y);
    await button.click();
    await page.getByText("Now look 60.").waitFor();
    await expect.poll(() => distanceFromEnd(page)).toBeLessThan(2);
    expect(await button.count()).toBe(0);
    expect(running.complaints).toEqual([]);
  });

  it("shows what is written as it is written, and what it came to once", async () => {
    const pieces = Array.from({ length: 40 }, (_, n) =>
      // As long as it takes a busy machine to see what was there before.
      n === 20 ? { delay: "8s" } : `piece ${n} `,
    );
    await using running = await stage({
      script: { turns: [{ steps: [GATE, { pieces }, { delay: "60s" }] }] },
    });
    const turnId = await startTurn(running.fake, "Write.", PermissionMode.ASK);
    const page = await running.open(`/turns/${turnId}`);
    await page.getByRole("button", { name: "Allow" }).waitFor();
    await allow(running.fake, turnId);
    await page.getByText(/^\s*piece 0 .*piece 19\s*$/).waitFor();
    await page.getByText(/^\s*piece 0 .*piece 39\s*$/).waitFor();
    await expect.poll(() => page.getByText("piece 0").count()).toBe(1);
    expect(running.complaints).toEqual([]);
  });
});

describe.skipIf(lacksBrowser)(`a turn whose connection breaks${withoutBrowser}`, () => {
  it("is shown to its end by a page whose server was killed and started again", async () => {
    await using running = await stage({ script: numbered(60, "1ms", [GATE]) });
    const turnId = await startTurn(running.fake, "Look.", PermissionMode.ASK);
    const page = await running.open(`/turns/${turnId}`);
    await page.getByText("Look 60.", { exact: true }).waitFor();
    await running.fake.kill();
    await page
      .getByText(/Reconnecting since/)
      .first()
      .waitFor();
    // Once, though nothing of the page is read any more.
    expect(await page.getByText(/Reconnecting since/).count()).toBe(1);
    const shown = await page.getByText(/^Look \d+\.$/).count();
    expect(shown).toBeGreaterThan(5);
    await running.fake.start();
    await page.getByRole("heading", { name: "Lost" }).waitFor();
    await page.getByText("The server ended under the turn and started again.").waitFor();
    await expect.poll(() => page.getByText(/Reconnecting since/).count()).toBe(0);
    const seen = looksIn(await readAllRows(page));
    expect(seen).toEqual(looks(60));
    expect(ofThePage(running.complaints)).toEqual([]);
  });

  it("is whole, and nothing in it twice, behind a proxy that cuts and cuts", async () => {
    await using cleanup = new AsyncDisposableStack();
    const proxy = cleanup.use(await startCuttingProxy());
    const running = cleanup.use(
      await stage({
        script: numbered(150, "30ms"),
        settings: { BREAKGLASS_ALLOWED_HOSTS: proxy.host },
      }),
    );
    proxy.forwardTo(running.fake.url);
    const turnId = await startTurn(running.fake, "Look.");
    const page = await running.open(`${proxy.url}/turns/${turnId}`);
    await page
      .getByText(/^Look \d+\.$/)
      .first()
      .waitFor();
    // Not for ever: on a slow machine nothing would be done between two.
    let cuts = 0;
    const cutting = setInterval(() => cuts++ < 10 && proxy.cut("RST"), 700);
    cleanup.defer(() => clearInterval(cutting));
    await page.getByRole("heading", { name: "Result" }).waitFor();
    clearInterval(cutting);
    expect(looksIn(await readAllRows(page))).toEqual(looks(150));
    expect(ofThePage(running.complaints)).toEqual([]);
  });

  it("is the same in two windows", async () => {
    const more = { repeat: { times: 40, steps: [{ text: "Now look {{n}}." }] } };
    await using running = await stage({ script: numbered(80, "10ms", [GATE, more]) });
    const turnId = await startTurn(running.fake, "Look.", PermissionMode.ASK);
    const one = await running.open(`/turns/${turnId}`);
    await one
      .getByText(/^Look \d+\.$/)
      .first()
      .waitFor();
    const two = await running.open(`/turns/${turnId}`, one.context());
    await two.getByText("Look 80.", { exact: true }).waitFor();
    await allow(running.fake, turnId);
    for (const page of [one, two]) await page.getByRole("heading", { name: "Result" }).waitFor();
    const [ofOne, ofTwo] = [await readAllRows(one), await readAllRows(two)];
    const untimed = (rows: Map<number, string>) =>
      [...rows].slice(1).map(([place, text]) => [place, text]);
    expect(untimed(ofTwo)).toEqual(untimed(ofOne));
    expect(looksIn(ofOne)).toEqual(looks(80));
    expect(running.complaints).toEqual([]);
  });
});
