import { createSubscriber } from "svelte/reactivity";

/** The time, which is read anew each second wherever it is shown: one timer for all, and none while nobody looks. */
class Clock {
  readonly #subscribe = createSubscriber((update) => {
    const timer = setInterval(update, 1000);
    return () => clearInterval(timer);
  });

  /** Milliseconds since the epoch. In an effect or a template it is read again each second. */
  get now(): number {
    this.#subscribe();
    return Date.now();
  }
}

export const clock = new Clock();
