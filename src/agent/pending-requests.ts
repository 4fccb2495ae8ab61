import { randomUUID } from "node:crypto";
import { byDeadline } from "../stream/deadline.ts";

/**
 * What an agent was asked over its stdin and has not answered: each answer finds who asked by the id of the request.
 *
 * 1. Who asks is told exactly once: the answer, or undefined where it is refused, late, or can come no more.
 */
export class PendingRequests<A> {
  readonly #waiting = new Map<string, (answer: A | undefined) => void>();
  #isAbandoned = false;

  /** Asks; `send` writes the request under the id that the answer will carry. Never rejects, unless `send` throws. */
  async ask(send: (id: string) => void, withinMs: number): Promise<A | undefined> {
    if (this.#isAbandoned) return undefined;
    const id = randomUUID();
    const answered = Promise.withResolvers<A | undefined>();
    this.#waiting.set(id, answered.resolve);
    send(id);
    const answer = await byDeadline(answered.promise, withinMs, undefined);
    this.#waiting.delete(id);
    return answer;
  }

  /** Takes an answer. Undefined: a refusal. An id that nobody waits for is ignored. */
  answer(id: string, answer: A | undefined): void {
    this.#waiting.get(id)?.(answer);
  }

  /** No answer comes any more. */
  abandon(): void {
    this.#isAbandoned = true;
    for (const resolve of this.#waiting.values()) resolve(undefined);
  }
}
