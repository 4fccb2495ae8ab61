import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { servePage } from "../support/page-server.ts";
import { stage } from "./console.ts";
import { storedIn } from "./tokens.ts";

declare global {
  interface Window {
    violations: string[];
  }
}

/** Has a page note what its policy keeps out. */
async function noteViolations(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => {
      window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
}

const violationsOf = (page: Page): Promise<string[]> => page.evaluate(() => window.violations);

describe.skipIf(lacksBrowser)(`the policy of the console${withoutBrowser}`, () => {
  it("keeps out nothing of the page, which asks nobody but its server, and keeps nothing unasked", async () => {
    await using running = await stage();
    const page = await (await running.newPerson()).newPage();
    await noteViolations(page);
    const asked = new Set<string>();
    page.context().on("request", (request) => {
      if (!/^(?:data|blob):/.test(request.url())) asked.add(new URL(request.url()).origin);
    });
    await page.goto(running.fake.url);
    await page.getByRole("textbox", { name: "What is to be done?" }).fill("Repair the gateway.");
    await page.keyboard.press("Enter");
    await page.getByText("Repaired: the gateway listens on a port that exists.").first().waitFor();
    expect(await violationsOf(page)).toEqual([]);
    expect([...asked]).toEqual([running.fake.url.replace(/\/$/, "")]);
    expect((await storedIn(page)).local).toEqual([]);
    expect(await page.context().cookies()).toEqual([]);
    expect(running.complaints).toEqual([]);
  });

  it("runs nothing that is written into the page", async () => {
    await using running = await stage();
    const page = await (await running.newPerson()).newPage();
    await noteViolations(page);
    await page.goto(running.fake.url);
    await page.getByRole("textbox", { name: "What is to be done?" }).waitFor();
    const ran = await page.evaluate(() => {
      const tries = {
        markup: () => {
          document.body.innerHTML = "<img src=x onerror=alert(1)>";
        },
        script: () => {
          const script = document.createElement("script");
          script.setAttribute("src", "data:text/javascript,window.ran=1");
          document.body.append(script);
          if (!("ran" in window)) throw new Error("kept out");
        },
        policy: () => {
          const { trustedTypes } = window as unknown as {
            trustedTypes: { createPolicy(name: string, rules: object): unknown };
          };
          trustedTypes.createPolicy("own", { createHTML: (text: string) => text });
        },
      };
      return Object.entries(tries).flatMap(([name, attempt]) => {
        try {
          attempt();
          return [name];
        } catch {
          return [];
        }
      });
    });
    expect(ran).toEqual([]);
    await expect.poll(() => violationsOf(page)).not.toEqual([]);
  });

  it("lets no other page have it in a frame", async () => {
    await using running = await stage();
    await using other = await servePage(
      new URL("../interop/event-source-page.ts", import.meta.url).pathname,
    );
    const page = await (await running.newPerson()).newPage();
    await page.goto(other.origin);
    await page.evaluate((url) => {
      const frame = document.createElement("iframe");
      frame.src = url;
      document.body.append(frame);
      return new Promise((resolve) => frame.addEventListener("load", resolve));
    }, running.fake.url);
    const framed = page.frames().find((frame) => frame !== page.mainFrame());
    expect(framed?.url()).toMatch(/^chrome-error:/);
  });
});
