import type { BrowserContext, Page } from "playwright-core";
import type { FakeOptions } from "#client/testing";
import { type Fake, startFake } from "../../src/fake/fake.ts";
import { launchBrowser } from "../support/browser.ts";

/** A browser in front of a server's page. */
export interface Windows extends AsyncDisposable {
  /** What browsers said of the page: exceptions, failed loads, what its policy kept out. It must stay empty. */
  readonly complaints: readonly string[];
  /** A browser of its own for another person: nothing is shared with the others. */
  newPerson(): Promise<BrowserContext>;
  /** A page of a person, at a path. Without a person: one of their own. */
  open(path: string, person?: BrowserContext): Promise<Page>;
}

/** A fake server, and a browser of one person in front of its page. */
export interface Stage extends Windows {
  readonly fake: Fake;
}

/** Starts a fake and a browser. The locale is English unless `locale` says another. */
export async function stage(
  options: FakeOptions & { readonly locale?: string } = {},
): Promise<Stage> {
  await using cleanup = new AsyncDisposableStack();
  const { locale, ...fakeOptions } = options;
  const fake = cleanup.use(await startFake(fakeOptions));
  const windows = cleanup.use(await windowsOf(fake, locale));
  const owned = cleanup.move();
  return { ...windows, fake, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Starts a browser in front of a server that is there, with further arguments of the browser. */
export async function windowsOf(
  server: { readonly url: string },
  locale = "en-US",
  ...args: readonly string[]
): Promise<Windows> {
  const browser = await launchBrowser(...args);
  const complaints: string[] = [];
  const newPerson = async () => {
    const person = await browser.newContext({ locale });
    person.setDefaultTimeout(60_000);
    person.on("weberror", (error) => void complaints.push(String(error.error())));
    person.on("console", (message) => {
      // Some other program's doing, as where a container on this machine starts; the page reads on.
      if (message.text().includes("net::ERR_NETWORK_CHANGED")) return;
      if (message.type() === "error") complaints.push(message.text().slice(0, 1000));
    });
    return person;
  };
  return {
    complaints,
    newPerson,
    async open(path, person) {
      const page = await (person ?? (await newPerson())).newPage();
      await page.goto(new URL(path, server.url).href);
      return page;
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
}
