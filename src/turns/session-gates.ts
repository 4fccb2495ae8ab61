/** Per session, what has to be over before an agent may start in it. Holds nothing for sessions that are ready. */
export class SessionGates {
  readonly #closed = new Map<string, Promise<void>>();

  /** Resolves when the session is ready. */
  ready(sessionId: string): Promise<void> {
    return this.#closed.get(sessionId) ?? Promise.resolve();
  }

  /** Makes the session wait for one more thing. */
  close(sessionId: string, until: Promise<void>): void {
    const both = Promise.all([this.ready(sessionId), until]).then(() => {
      if (this.#closed.get(sessionId) === both) this.#closed.delete(sessionId);
    });
    this.#closed.set(sessionId, both);
  }

  /** Resolves when every session that waits now is ready. */
  async allReady(): Promise<void> {
    await Promise.all(this.#closed.values());
  }
}
