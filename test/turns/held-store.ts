import { setImmediate as nextTurn } from "node:timers/promises";
import type { Store } from "../../src/store/store.ts";

/** The calls that can be held; the others go straight through. */
type Method = "createTurn" | "append" | "readEvents" | "getTurn";

/**
 * A real store whose disk a test can make wait: while it is held, calls stand in a queue and are handed on when the test
 * says so, in the order in which they were asked for.
 */
export class HeldStore implements Pick<Store, Method> {
  /** Calls wait for `release`. */
  isHeld = false;
  #store: Store;
  readonly #queue: { readonly method: Method; readonly call: () => void }[] = [];
  /** What was read, on its way back. */
  readonly #answers: (() => void)[] = [];
  readonly #durable = new Map<string, number>();
  #inFlight = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The same store to those who use it. */
  get asStore(): Store {
    const held: Partial<Store> = {
      createTurn: (...args) => this.createTurn(...args),
      append: (...args) => this.append(...args),
      readEvents: (...args) => this.readEvents(...args),
      getTurn: (...args) => this.getTurn(...args),
    };
    return new Proxy(this.#store, {
      get: (_, name: keyof Store) => held[name] ?? this.#store[name],
    });
  }

  /** Goes on with the same store, opened again. */
  replace(store: Store): void {
    this.#store = store;
  }

  /** The calls that wait, the oldest first. */
  get waiting(): readonly Method[] {
    return this.#queue.map(({ method }) => method);
  }

  /** The last event of a turn that the real store has said, or shown, is on disk. */
  durable(turnId: string): number {
    return this.#durable.get(turnId) ?? 0;
  }

  createTurn(...args: Parameters<Store["createTurn"]>): ReturnType<Store["createTurn"]> {
    return this.#call("createTurn", () => this.#store.createTurn(...args));
  }

  append(...args: Parameters<Store["append"]>): Promise<void> {
    const [batch] = args;
    const last = batch.firstSequence + batch.events.length - 1;
    return this.#call("append", async () => {
      await this.#store.append(...args);
      this.#durable.set(batch.turnId, last);
    });
  }

  readEvents(...args: Parameters<Store["readEvents"]>): Promise<Uint8Array[]> {
    const [turnId, after] = args;
    return this.#read("readEvents", async () => {
      const events = await this.#store.readEvents(...args);
      this.#durable.set(turnId, Math.max(this.durable(turnId), after + events.length));
      return events;
    });
  }

  getTurn(...args: Parameters<Store["getTurn"]>): ReturnType<Store["getTurn"]> {
    return this.#read("getTurn", () => this.#store.getTurn(...args));
  }

  /** Hands on the oldest calls that wait. */
  release(count: number): void {
    for (const { call } of this.#queue.splice(0, count)) call();
  }

  /** Lets the answers to what was read arrive. */
  answer(): void {
    for (const arrive of this.#answers.splice(0)) arrive();
  }

  /** Hands on all calls, lets answers arrive as late as can be, and so on until nobody asks for more. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet++) {
      if (this.#queue.length > 0 || this.#inFlight > 0) quiet = 0;
      this.release(this.#queue.length);
      if (this.#inFlight === this.#answers.length) this.answer();
      await nextTurn();
    }
  }

  /** What was read may be old by the time that it is answered. */
  #read<T>(method: Method, call: () => Promise<T>): Promise<T> {
    return this.#call(method, async () => {
      const answer = await call();
      if (this.isHeld) await new Promise<void>((resolve) => void this.#answers.push(resolve));
      return answer;
    });
  }

  /** All calls take the same way, so that they are answered in the order in which they were asked for. */
  #call<T>(method: Method, call: () => Promise<T>): Promise<T> {
    const isBehind = this.#queue.length > 0;
    const answer = new Promise<T>((resolve, reject) => {
      const run = () => void this.#run(call).then(resolve, reject);
      this.#queue.push({ method, call: run });
    });
    if (!this.isHeld && !isBehind) this.release(1);
    return answer;
  }

  async #run<T>(call: () => Promise<T>): Promise<T> {
    this.#inFlight++;
    try {
      return await call();
    } finally {
      this.#inFlight--;
    }
  }
}
