import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeCertificate } from "../security/certificate.ts";
import { createAuthority } from "../security/client-certificates.ts";
import { lacksBrowser, launchBrowser, withoutBrowser } from "../support/browser.ts";
import { startTestServer } from "../support/test-server.ts";
import { windowsOf } from "./console.ts";

const PROMPT = "What is to be done?";

/** A folder that is gone with what holds it. */
async function folderOf(cleanup: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "console-proved-"));
  cleanup.defer(() => rm(folder, { recursive: true }));
  return folder;
}

/** A proxy in front of a socket, which signs everyone in as one user. */
async function proxyTo(socketPath: string, user: string, cleanup: AsyncDisposableStack) {
  const server = createServer((incoming, response) => {
    const { method, url: path, headers: own } = incoming;
    const headers = { ...own, "x-forwarded-user": user };
    const onward = request({ socketPath, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanup.defer(async () => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.skipIf(lacksBrowser)(
  `who is known to the console without a token${withoutBrowser}`,
  () => {
    it("by a proxy, is shown, and is not asked", async () => {
      await using cleanup = new AsyncDisposableStack();
      const socket = join(await folderOf(cleanup), "socket");
      cleanup.use(
        await startTestServer({
          BREAKGLASS_LISTEN: `unix:${socket}`,
          BREAKGLASS_PROXY_USER_HEADER: "x-forwarded-user",
        }),
      );
      const url = await proxyTo(socket, "carol", cleanup);
      const windows = cleanup.use(await windowsOf({ url }));
      const page = await windows.open("/");
      await page.getByRole("banner").getByText("carol").waitFor();
      await page.getByRole("textbox", { name: PROMPT }).fill("say hello");
      await page.keyboard.press("Enter");
      await page.waitForURL(/\/turns\//);
      await page.getByText("hello").first().waitFor();
      expect(await page.getByLabel("Token", { exact: true }).count()).toBe(0);
      expect(windows.complaints).toEqual([]);
    });

    it("by a certificate, is shown, and is not asked", async () => {
      await using cleanup = new AsyncDisposableStack();
      const folder = await folderOf(cleanup);
      const authority = createAuthority(folder, "clients");
      const { cert, key } = authority.sign("/CN=dora");
      const map = join(folder, "people.yaml");
      await writeFile(map, "- cn: dora\n  principal: dora\n");
      const server = cleanup.use(
        await startTestServer({
          ...makeCertificate(folder),
          BREAKGLASS_CLIENT_CA: authority.path,
          BREAKGLASS_CLIENT_CERTIFICATES_FILE: map,
        }),
      );
      const browser = await launchBrowser();
      cleanup.defer(() => browser.close());
      const context = await browser.newContext({
        ignoreHTTPSErrors: true,
        clientCertificates: [{ origin: server.url, cert, key }],
      });
      const page = await context.newPage();
      await page.goto(server.url);
      await page.getByRole("banner").getByText("dora").waitFor();
      await page.getByRole("textbox", { name: PROMPT }).waitFor();
      expect(await page.getByLabel("Token", { exact: true }).count()).toBe(0);
    });
  },
);
