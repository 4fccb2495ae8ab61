import { SvelteMap } from "svelte/reactivity";

/** What of a turn somebody opened or folded: it stays so while its rows come and go as the page scrolls. */
export class Folds {
  readonly #open = new SvelteMap<string, boolean>();

  /** @param key - The row's key and what of it. */
  isOpen(key: string, isUsually = false): boolean {
    return this.#open.get(key) ?? isUsually;
  }

  set(key: string, isOpen: boolean): void {
    this.#open.set(key, isOpen);
  }
}
