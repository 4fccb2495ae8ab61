import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import type { ScriptDocument } from "#client/testing";
import { peopleStage, startTo } from "../test/console/people.ts";

/*
 * Takes the pictures of the console that the docs show, of the page as it was built last, with Debian's Chromium:
 *
 *     npm run build -w console && npm run pictures
 */
const FOLDER = join(import.meta.dirname, "..", "docs", "console");
const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 360, height: 740 };
const LOG = "\u001b[31merror\u001b[0m bind 0.0.0.0:443: permission denied\n".repeat(3);

const SCRIPT: ScriptDocument = {
  turns: [
    {
      when: "gateway",
      steps: [
        { text: "I look at what the **gateway** said last." },
        { tool: { name: "Bash", input: { command: "journalctl -u gateway -n 3" }, output: LOG } },
        {
          tool: {
            name: "Edit",
            input: {
              file_path: "/etc/gateway/gateway.conf",
              old_string: "listen = 443\nuser = nobody",
              new_string: "listen = 8443\nuser = nobody",
            },
            output: "The file was changed.",
          },
        },
        {
          approval: {
            tool: "Bash",
            input: { command: "systemctl restart gateway" },
            title: "Restart the gateway",
          },
        },
      ],
    },
    { when: "replica", steps: [{ text: "I wait for it to catch up." }, { failure: "hang" }] },
    { when: "disk", steps: [{ failure: { exit: 3, stderr: "No space left on device" } }] },
    { steps: [{ text: "All certificates are good for 30 days and more." }] },
  ],
};

type Scheme = "light" | "dark";

async function picture(page: Page, name: string, viewport: typeof WIDE, colorScheme: Scheme) {
  await page.setViewportSize(viewport);
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  // What moves with the width has come to rest, and buttons that had moved can be pressed.
  await page.waitForTimeout(1500);
  await page.screenshot({ path: join(FOLDER, `${name}.png`) });
}

async function both(page: Page, name: string, wide: Scheme) {
  await picture(page, `${name}-wide-${wide}`, WIDE, wide);
  const narrow = wide === "light" ? "dark" : "light";
  await picture(page, `${name}-narrow-${narrow}`, NARROW, narrow);
}

await using running = await peopleStage({ alice: "operator" }, { script: SCRIPT });
mkdirSync(FOLDER, { recursive: true });
const signIn = await running.open("/");
await signIn.getByLabel("Token", { exact: true }).waitFor();
await picture(signIn, "sign-in-narrow-light", NARROW, "light");
const client = running.clientOf("alice");
await startTo(client, "Look at the certificates", "result");
await startTo(client, "Make room on the disk of db-2", "error");
await startTo(client, "Wait for the replica, then fail over to it", "text");
const asked = await startTo(client, "The gateway does not start: repair it", "approvalRequest");
const desk = await running.openAs("alice");
await desk.getByRole("article").waitFor();
await both(desk, "desk", "light");
const turn = await running.openAs("alice", `/turns/${asked.turnId}`);
await turn.getByRole("article", { name: "Bash asks" }).waitFor();
await both(turn, "turn", "dark");
const session = await running.openAs("alice", `/sessions/${asked.sessionId}`);
await session.getByRole("article", { name: "Bash asks" }).waitFor();
await both(session, "session", "light");
await desk.keyboard.press("?");
await desk.getByRole("dialog").waitFor();
await picture(desk, "keys-wide-dark", WIDE, "dark");
