import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build, preview } from "vite";
import { describe, expect, inject, it } from "vitest";
import { lacksBrowser, launchBrowser, withoutBrowser } from "../support/browser.ts";
import { startTestServer } from "../support/test-server.ts";
import { createConsumer, REPOSITORY } from "./packed.ts";

const README = readFileSync(join(REPOSITORY, "clients/typescript/README.md"), "utf8");
const PAGE = README.split("## In a browser")[1]!.split("```js\n")[1]!.split("```")[0]!;

describe.skipIf(lacksBrowser)(`the package of the client in a page${withoutBrowser}`, () => {
  it("is bundled by Vite, and shows a turn in Chromium", async () => {
    await using running = new AsyncDisposableStack();
    const peers = ["@connectrpc/connect", "@connectrpc/connect-web"];
    const { root } = running.use(await createConsumer(inject("tarballs").client, ...peers));
    await writeFile(join(root, "index.html"), '<script type="module" src="page.js"></script>');
    const page = PAGE.replace("What is wrong?", "say It is the port.");
    const portless = page.replace('"http://127.0.0.1:7433"', "location.hash.slice(1)");
    await writeFile(join(root, "page.js"), portless);
    const quiet = { root, logLevel: "error", configFile: false } as const;
    await build(quiet);
    const shown = await preview({ ...quiet, preview: { host: "127.0.0.1", port: 0 } });
    running.defer(() => shown.close());
    const origin = new URL(shown.resolvedUrls!.local[0]!).origin;
    const server = running.use(await startTestServer({ BREAKGLASS_ALLOWED_ORIGINS: origin }));
    const browser = await launchBrowser();
    running.defer(() => browser.close());
    const tab = await browser.newPage();
    await tab.goto(`${origin}/#${server.url}`);
    await tab.getByText("It is the port.").waitFor();
    expect(await tab.textContent("body")).toBe("It is the port.");
  });
});
