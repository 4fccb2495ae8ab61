import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const found = PATHS.find((path) => existsSync(path));

/** The browser's program, for those that start it by themselves. */
export const BROWSER_PATH: string = found ?? "chromium";

/** On a newcomer's machine without a browser its tests say what is missing; where CI runs, that is a failure. */
export const lacksBrowser = found === undefined && !process.env.CI;

/** For the titles of those tests. */
export const withoutBrowser = lacksBrowser
  ? " (left out: no Chromium here; apt-get install chromium)"
  : "";

/** Starts the browser, with further arguments. */
export function launchBrowser(...args: readonly string[]): Promise<Browser> {
  return chromium.launch({
    executablePath: BROWSER_PATH,
    args: ["--no-sandbox", "--disable-dev-shm-usage", ...args],
  });
}
