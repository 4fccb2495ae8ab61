import { Refusal } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Store } from "./store.ts";

/** What is done of a turn and has to be on disk. */
const WRITES = ["createTurn", "beginTurn", "append", "claimConversation", "recordProcess"] as const;

/**
 * A store that tells when it fails to take what it is given, and when it takes it again. Where a turn cannot be recorded, room
 * is made for it, once.
 *
 * @param reserve - Whether room can be made, and makes it: answers whether there is some now that was not there before.
 */
export function watchedStore(
  store: Store,
  log: Log,
  reserve: { readonly isNeeded: boolean; release(): Promise<boolean> },
): Store {
  const health = new StoreHealth(log);
  const watched: Partial<Record<keyof Store, unknown>> = {};
  for (const name of WRITES) {
    const write = store[name] as (...args: unknown[]) => Promise<unknown>;
    watched[name] = (...args: unknown[]) => health.watch(write(...args));
  }
  return {
    ...store,
    ...(watched as Pick<Store, (typeof WRITES)[number]>),
    async checkWritable(audit, epoch) {
      try {
        await store.checkWritable(audit, epoch);
      } catch (error) {
        // The room is kept for a turn: it is not made for who only asks.
        if (!isStorage(error) || !reserve.isNeeded) throw error;
      }
    },
    async createTurn(start, epoch) {
      try {
        return await health.watch(store.createTurn(start, epoch));
      } catch (error) {
        if (!isStorage(error) || !(await reserve.release())) throw error;
        return await health.watch(store.createTurn(start, epoch));
      }
    },
  };
}

/** Whether the store takes what it is given. */
class StoreHealth {
  readonly #log: Log;
  #failingSince: number | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Takes note of what becomes of a write, and leaves the answer as it is. */
  watch<T>(write: Promise<T>): Promise<T> {
    write.then(this.#worked, this.#failed);
    return write;
  }

  readonly #worked = (): void => {
    if (this.#failingSince === undefined) return;
    const failedForMs = Math.round(performance.now() - this.#failingSince);
    this.#failingSince = undefined;
    this.#log.info("the store takes writes again", { failedForMs });
  };

  readonly #failed = (error: unknown): void => {
    if (!isStorage(error) || this.#failingSince !== undefined) return;
    this.#failingSince = performance.now();
    this.#log.error("the store takes no writes", { why: (error as Refusal).message });
  };
}

function isStorage(error: unknown): boolean {
  return error instanceof Refusal && error.reason === "STORAGE";
}
