import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import type { FakeOptions } from "#client/testing";
import { tokenLine } from "../support/test-server.ts";
import { type Stage, stage } from "./console.ts";

/** A stage whose server takes tokens, which change. */
export interface TokenStage extends Stage {
  /** What browsers complained of, but for refusals and for a server that is down: those they name themselves. */
  unforeseen(): string[];
  /** Has these tokens and no others count, each with whom it stands for. */
  setTokens(tokens: Readonly<Record<string, string>>): Promise<void>;
}

/** What a browser says by itself of an answer, or of none. */
const FORESEEN = /status of (401|503)|net::ERR_|Failed to fetch/;

/** Starts one. */
export async function tokenStage(
  tokens: Readonly<Record<string, string>>,
  options: FakeOptions = {},
): Promise<TokenStage> {
  await using cleanup = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "breakglass-tokens-"));
  cleanup.defer(() => rm(folder, { recursive: true }));
  const path = join(folder, "tokens");
  const write = (all: Readonly<Record<string, string>>) =>
    writeFile(
      path,
      Object.entries(all)
        .map(([token, who]) => tokenLine(token, who))
        .join(""),
      {
        mode: 0o600,
      },
    );
  await write(tokens);
  const settings = { ...options.settings, BREAKGLASS_TOKENS_FILE: path };
  const running = cleanup.use(await stage({ ...options, settings }));
  const owned = cleanup.move();
  return {
    ...running,
    unforeseen: () => running.complaints.filter((complaint) => !FORESEEN.test(complaint)),
    async setTokens(all) {
      await write(all);
      await running.fake.reload();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Signs in on a page. */
export async function signIn(page: Page, token: string, isRemembered = false): Promise<void> {
  await page.getByLabel("Token", { exact: true }).fill(token);
  if (isRemembered) await page.getByLabel("Remember it in this browser").check();
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** What a page keeps, in all its storages. */
export function storedIn(page: Page): Promise<{ local: string[]; session: string[] }> {
  return page.evaluate(() => ({
    local: Object.entries(localStorage).map((entry) => entry.join("=")),
    session: Object.entries(sessionStorage).map((entry) => entry.join("=")),
  }));
}
