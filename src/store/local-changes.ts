import type { Changes } from "./changes.ts";

/** The news of a file: nobody but this process writes to it, so that what it has written is all there is. */
export class LocalChanges implements Changes {
  readonly #ofSessions = new KeyedListeners();
  readonly #ofTurns = new KeyedListeners();
  readonly #ofAll = new KeyedListeners();
  readonly #ofWithdrawals = new KeyedListeners();

  listenToSession(sessionKey: string, listener: () => void): () => void {
    return this.#ofSessions.add(sessionKey, listener);
  }

  listenToTurn(turnId: string, listener: () => void): () => void {
    return this.#ofTurns.add(turnId, listener);
  }

  listenToTurns(listener: () => void): () => void {
    return this.#ofAll.add("", listener);
  }

  listenToWithdrawals(listener: () => void): () => void {
    return this.#ofWithdrawals.add("", listener);
  }

  tellWithdrawal(): void {
    this.#ofWithdrawals.call("");
  }

  tellTurns(): void {
    this.#ofAll.call("");
  }

  tellSession(sessionKey: string): void {
    this.#ofSessions.call(sessionKey);
  }

  tellTurn(turnId: string): void {
    this.#ofTurns.call(turnId);
  }

  /** Whether somebody listens to a turn. */
  isTurnHeard(turnId: string): boolean {
    return this.#ofTurns.has(turnId);
  }
}

class KeyedListeners {
  readonly #listeners = new Map<string, Set<() => void>>();

  has(key: string): boolean {
    return this.#listeners.has(key);
  }

  add(key: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(key) ?? new Set();
    // One of its own: the same function may listen twice.
    const call = () => listener();
    this.#listeners.set(key, listeners.add(call));
    return () => {
      listeners.delete(call);
      if (listeners.size === 0 && this.#listeners.get(key) === listeners) {
        this.#listeners.delete(key);
      }
    };
  }

  call(key: string): void {
    for (const listener of this.#listeners.get(key) ?? []) listener();
  }
}
