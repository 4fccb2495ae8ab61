import { createHash } from "node:crypto";
import type { Terminal } from "./terminal.ts";
import type { Printable } from "./terminal-text.ts";

/** A list goes on for as long as its server says so: no server has ten million of anything. */
const MAX_PAGES = 10_000;
/** Pages in a row with nothing on them. */
const MAX_EMPTY_PAGES = 100;
/** The most that a server gives at once; it may give fewer. */
export const PAGE_SIZE = 1000;

/** A page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Asks for the next page. Empty: this is the last. */
  readonly nextPageToken: string;
}

/** A server's list has no end. The message is one line. */
export class EndlessListError extends Error {
  override readonly name = "EndlessListError";

  constructor(what: string) {
    super(`the list does not end: ${what}`);
  }
}

/**
 * The items of every page of a list.
 *
 * @param pageOf - Fetches the page that a token asks for; the first has none.
 * @throws EndlessListError where a token comes a second time, 100 pages in a row have nothing on them, or 10,000 pages are
 * not all; and whatever `pageOf` throws.
 */
export async function* allPages<T>(
  pageOf: (pageToken: string) => Promise<Page<T>>,
): AsyncGenerator<T> {
  const asked = new Set<string>();
  let emptyPages = 0;
  for (let pageToken = ""; ; ) {
    const page = await pageOf(pageToken);
    yield* page.items;
    pageToken = page.nextPageToken;
    if (pageToken === "") return;
    // A token may have megabytes.
    const digest = createHash("sha256").update(pageToken).digest("base64");
    if (asked.has(digest)) throw new EndlessListError("the server gave a page token twice");
    asked.add(digest);
    emptyPages = page.items.length === 0 ? emptyPages + 1 : 0;
    if (emptyPages >= MAX_EMPTY_PAGES) {
      throw new EndlessListError(`${MAX_EMPTY_PAGES} pages in a row had nothing on them`);
    }
    if (asked.size >= MAX_PAGES) throw new EndlessListError(`${MAX_PAGES} pages were read`);
  }
}

/** How a list is printed. */
export interface ListPrinting<T> {
  /** An item, ending in a newline. */
  readonly line: (item: T) => Printable;
  /** What is said where there is nothing. Undefined: nothing is. */
  readonly none: Printable | undefined;
  /** So many at most. */
  readonly limit?: number | undefined;
}

/**
 * Prints the items of a list, until whoever reads it has gone.
 *
 * @throws whatever `items` does.
 */
export async function printList<T>(
  items: AsyncIterable<T>,
  { line, none, limit = Number.POSITIVE_INFINITY }: ListPrinting<T>,
  terminal: Terminal,
): Promise<void> {
  let count = 0;
  for await (const item of items) {
    if (terminal.gone.aborted || count >= limit) return;
    await terminal.write(line(item));
    // Before the next page is asked for.
    if (++count >= limit) return;
  }
  if (count === 0 && none !== undefined) terminal.tell(none);
}
