import type { MovedSession } from "../turns/session-moves.ts";

/** So many sessions wait, and of so many it is known what their workspaces were like. */
const MOST = 10_000;
/** Before what failed is tried again, doubling. */
const AGAIN_MS = { first: 5000, longest: 300_000 };

interface Entry {
  readonly session: MovedSession;
  /** By the clock of `performance.now`. */
  readonly dueTime: number;
  readonly failures: number;
}

/**
 * The sessions of which a snapshot is to be taken, and when: one at a time, each session once, and no sooner than some time
 * after it was taken last.
 */
export class SnapshotQueue {
  readonly #intervalMs: number;
  readonly #take: (session: MovedSession) => Promise<boolean>;
  readonly #waiting = new Map<string, Entry>();
  /** When each was taken last. */
  readonly #taken = new Map<string, number>();
  #running: Promise<void> | undefined;
  #isDraining = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param take - Takes one. Answers whether it is not to be tried again. Never rejects. */
  constructor(intervalMs: number, take: (session: MovedSession) => Promise<boolean>) {
    this.#intervalMs = intervalMs;
    this.#take = take;
  }

  /** Something may have changed in a session's workspace. Answers false where too many wait. */
  add(session: MovedSession): boolean {
    const { sessionKey } = session;
    const before = this.#waiting.get(sessionKey);
    if (before === undefined && this.#waiting.size >= MOST) return false;
    const last = this.#taken.get(sessionKey);
    const dueTime = last === undefined ? 0 : last + this.#intervalMs;
    const kept = { dueTime: before?.dueTime ?? dueTime, failures: before?.failures ?? 0 };
    this.#waiting.set(sessionKey, { session, ...kept });
    this.#wake();
    return true;
  }

  /** A session is gone. */
  drop(sessionKey: string): void {
    this.#waiting.delete(sessionKey);
    this.#taken.delete(sessionKey);
  }

  /** Takes what waits at once, whenever it was due, each once. Resolves when it was tried; nothing is taken from then on. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    clearTimeout(this.#timer);
    await this.#running;
    const first = this.#next();
    if (first !== undefined) await this.#run(first);
  }

  get size(): number {
    return this.#waiting.size;
  }

  #wake(): void {
    if (this.#running !== undefined || this.#isDraining) return;
    clearTimeout(this.#timer);
    const next = this.#next();
    if (next === undefined) return;
    const inMs = next.dueTime - performance.now();
    if (inMs > 0) {
      this.#timer = setTimeout(() => this.#wake(), inMs).unref();
      return;
    }
    this.#running = this.#run(next).finally(() => {
      this.#running = undefined;
    });
    void this.#running.then(() => this.#wake());
  }

  async #run(first: Entry): Promise<void> {
    const tried = new Set<string>();
    for (let next: Entry | undefined = first; next !== undefined; next = this.#next(tried)) {
      const isDue = this.#isDraining || next.dueTime <= performance.now();
      if (!isDue) return;
      const { session, failures } = next;
      const { sessionKey } = session;
      this.#waiting.delete(sessionKey);
      tried.add(sessionKey);
      this.#note(sessionKey);
      if (await this.#take(session)) continue;
      const againMs = Math.min(AGAIN_MS.first * 2 ** failures, AGAIN_MS.longest);
      const dueTime = performance.now() + Math.max(againMs, this.#intervalMs);
      const newest = this.#waiting.get(sessionKey)?.session ?? session;
      this.#waiting.set(sessionKey, { session: newest, dueTime, failures: failures + 1 });
    }
  }

  /** The one that is due first. @param but - While it drains each is tried once. */
  #next(but?: ReadonlySet<string>): Entry | undefined {
    let next: Entry | undefined;
    for (const [key, entry] of this.#waiting) {
      if (this.#isDraining && but?.has(key)) continue;
      if (next === undefined || entry.dueTime < next.dueTime) next = entry;
    }
    return next;
  }

  #note(sessionKey: string): void {
    this.#taken.delete(sessionKey);
    this.#taken.set(sessionKey, performance.now());
    if (this.#taken.size > MOST) this.#taken.delete(this.#taken.keys().next().value!);
  }
}
