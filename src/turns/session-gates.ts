/** Per session, what has to be over before an agent may start in it. Holds nothing for sessions that are ready. */
export class SessionGates {
  readonly #closed = new Map<string, Promise<void>>();

  /** Resolves when the session is ready. */
  ready(sessionKey: string): Promise<void> {
    return this.#closed.get(sessionKey) ?? Promise.resolve();
  }

  /** Makes the session wait for one more thing. */
  close(sessionKey: string, until: Promise<void>): void {
    const both = Promise.all([this.ready(sessionKey), until]).then(() => {
      if (this.#closed.get(sessionKey) === both) this.#closed.delete(sessionKey);
    });
    this.#closed.set(sessionKey, both);
  }

  /** Resolves when every session that waits now is ready. */
  async allReady(): Promise<void> {
    await Promise.all(this.#closed.values());
  }
}
