import type { Session, Turn } from "@breakglass/client";
import type { Account } from "../server/account.svelte.ts";

/** So many are shown of each. */
const SHOWN = 8;
/** Of the sessions that were active last so many are looked through. */
const SESSIONS = 200;
/** Nothing is asked while somebody types. */
const TYPING_MS = 200;
/** The longest text that the server looks for, whatever it is written in. */
const MAX_TEXT = 85;

/** Turns and sessions by words, for the palette. */
export class PaletteSearch {
  turns = $state.raw<readonly Turn[]>([]);
  isSearching = $state(false);
  #sessions = $state.raw<readonly Session[]>([]);
  #text = $state("");
  readonly #account: Account;
  #searching = new AbortController();

  /** The sessions that have the words in their last prompt, in whose they are or in their id. */
  readonly sessions = $derived.by(() => {
    const found = this.#sessions.filter(({ sessionId, principal, lastPrompt }) =>
      hasWords(`${lastPrompt} ${principal} ${sessionId}`, this.#text),
    );
    return found.slice(0, SHOWN);
  });

  constructor(account: Account) {
    this.#account = account;
  }

  /** Asks for the sessions that there are. What fails is not shown: the palette goes on without. */
  async open(): Promise<void> {
    try {
      const answer = await this.#account.client.listSessions({ pageSize: SESSIONS });
      this.#sessions = answer.sessions;
    } catch (error) {
      this.#account.heedRefusal(error);
    }
  }

  /** Looks for a text, in a moment and instead of what was looked for before. */
  async search(text: string): Promise<void> {
    this.#text = text;
    this.#searching.abort();
    const searching = new AbortController();
    this.#searching = searching;
    const query = text.trim().slice(0, MAX_TEXT);
    this.isSearching = query !== "";
    if (query === "") {
      this.turns = [];
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, TYPING_MS));
    if (searching.signal.aborted) return;
    const { signal } = searching;
    try {
      const { turns } = await this.#account.client.listTurns(
        { query, pageSize: SHOWN },
        { signal },
      );
      this.turns = turns;
    } catch (error) {
      if (!signal.aborted) this.#account.heedRefusal(error);
    } finally {
      if (!signal.aborted) this.isSearching = false;
    }
  }

  leave(): void {
    this.#searching.abort();
  }
}

/** Whether a text has all of some words, in any case. */
export function hasWords(text: string, words: string): boolean {
  const folded = text.toUpperCase();
  return words
    .toUpperCase()
    .split(/\s+/)
    .every((word) => folded.includes(word));
}
