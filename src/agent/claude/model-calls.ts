/** Blocks of one message come close together, interleaved with those of a few subagents at most. */
const OPEN_MESSAGES = 64;

/** How often the model was called in one turn: each call that has begun to answer, by the id of its message. */
export class ModelCalls {
  /** The ids of the newest. */
  readonly #newest = new Set<string>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** A message of the model begins or goes on. One without an id is taken for a call of its own. */
  note(messageId: string): void {
    if (this.#newest.has(messageId)) return;
    this.#count++;
    if (messageId === "") return;
    if (this.#newest.size >= OPEN_MESSAGES) {
      const [oldest] = this.#newest;
      this.#newest.delete(oldest!);
    }
    this.#newest.add(messageId);
  }
}
