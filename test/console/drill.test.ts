import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lacksBrowser, launchBrowser, withoutBrowser } from "../support/browser.ts";
import { eventually } from "../support/processes.ts";
import { NODE_FLAGS, SOURCE_PROGRAM } from "../support/program.ts";

describe.skipIf(lacksBrowser)(`the drill of the console${withoutBrowser}`, () => {
  it("has a repair wait for whoever opens the page, stays, and leaves nothing behind", async () => {
    await using cleanup = new AsyncDisposableStack();
    // Of its own: others may rehearse on this machine.
    const folder = await mkdtemp(join(tmpdir(), "console-drill-"));
    cleanup.defer(() => rm(folder, { recursive: true }));
    const directoriesLeft = async () =>
      (await readdir(folder)).filter((name) => name.startsWith("breakglass-drill-"));
    const args = [...NODE_FLAGS, SOURCE_PROGRAM, "drill", "--console"];
    const child = spawn(process.execPath, args, {
      env: { PATH: process.env.PATH ?? "", TMPDIR: folder },
    });
    const exited = once(child, "exit");
    cleanup.defer(() => void child.kill("SIGKILL"));
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (piece) => (output += piece));
    const url = await eventually(
      () => /Open (http:\S+) in a browser/.exec(output)?.[1],
      (found) => found !== undefined,
      60_000,
    );
    if (url === undefined) throw new Error(`the drill did not come up: ${output}`);
    const browser = await launchBrowser();
    cleanup.defer(() => browser.close());
    const page = await browser.newPage({ locale: "en-US" });
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(url);
    await page
      .getByRole("link", { name: /billing gateway does not start/ })
      .first()
      .click();
    const allow = page.getByRole("button", { name: /^Allow/ }).first();
    const done = page.getByText("Repaired: the gateway listens on a port that exists").first();
    // As many calls as the agent asks about.
    await allow.waitFor();
    await eventually(
      async () => {
        await allow.click({ timeout: 1000 }).catch(() => {});
        return done.isVisible();
      },
      (isDone) => isDone,
      120_000,
    );
    await done.waitFor();
    expect(complaints).toEqual([]);
    expect(child.exitCode).toBeNull();
    child.kill("SIGINT");
    expect(await exited).toEqual([0, null]);
    expect(output).toContain("Bash sed -i.bak");
    expect(await directoriesLeft()).toEqual([]);
  });
});
