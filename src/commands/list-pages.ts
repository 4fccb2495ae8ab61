import { createHash } from "node:crypto";
import type { Terminal } from "./terminal.ts";
import type { Printable } from "./terminal-text.ts";

/** A list goes on for as long as its server says so: no server has ten million of anything. */
const MAX_PAGES = 10_000;
/** The most that a server gives at once; it may give fewer. */
export const PAGE_SIZE = 1000;

/** A page of a list, ready to be printed. */
export interface Page {
  readonly lines: readonly Printable[];
  /** Asks for the next page. Empty: this is the last. */
  readonly nextPageToken: string;
}

/** A server's list has no end. The message is one line. */
export class EndlessListError extends Error {
  override readonly name = "EndlessListError";
}

/**
 * Prints every page of a list, until whoever reads it has gone.
 *
 * @param pageOf - Fetches the page that a token asks for; the first has none.
 * @throws EndlessListError where a token comes a second time, or the pages are more than any server has; and whatever
 * `pageOf` throws.
 */
export async function printPages(
  pageOf: (pageToken: string) => Promise<Page>,
  terminal: Terminal,
): Promise<void> {
  const asked = new Set<string>();
  for (let pageToken = ""; !terminal.gone.aborted; ) {
    const page = await pageOf(pageToken);
    for (const line of page.lines) await terminal.write(line);
    pageToken = page.nextPageToken;
    if (pageToken === "") return;
    // A token may have megabytes.
    const digest = createHash("sha256").update(pageToken).digest("base64");
    if (asked.has(digest)) {
      throw new EndlessListError("the list does not end: the server gave a page token twice");
    }
    asked.add(digest);
    if (asked.size >= MAX_PAGES) {
      throw new EndlessListError(`the list does not end: ${MAX_PAGES} pages were read`);
    }
  }
}
