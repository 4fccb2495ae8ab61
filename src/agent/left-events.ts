import type { MemoryBudget } from "../stream/memory-budget.ts";
import type { EventKind } from "./agent.ts";
import { lostNotice, weightOf } from "./idle-events.ts";

/** So many sessions at most are told later what their process left. */
const MAX_SESSIONS = 1000;

/** What sessions whose process has ended have not been told of. */
export class LeftEvents {
  readonly #memory: MemoryBudget;
  readonly #bySessionKey = new Map<
    string,
    { readonly events: EventKind[]; readonly bytes: number }
  >();

  /** @param memory - What all of them are taken from. */
  constructor(memory: MemoryBudget) {
    this.#memory = memory;
  }

  /** Keeps events for a session's next process; where there is no room for them, only how many there were. */
  keep(sessionKey: string, events: EventKind[]): void {
    const before = this.drain(sessionKey);
    const all = [...before, ...events];
    if (all.length === 0 || this.#bySessionKey.size >= MAX_SESSIONS) return;
    if (!this.#put(sessionKey, all)) this.#put(sessionKey, [lostNotice(all.length)]);
  }

  /** Gives up what a session has not been told of. */
  drain(sessionKey: string): EventKind[] {
    const { events = [], bytes = 0 } = this.#bySessionKey.get(sessionKey) ?? {};
    this.#bySessionKey.delete(sessionKey);
    this.#memory.giveBack(bytes);
    return events;
  }

  #put(sessionKey: string, events: EventKind[]): boolean {
    const bytes = weightOf(...events);
    if (!this.#memory.take(bytes)) return false;
    this.#bySessionKey.set(sessionKey, { events, bytes });
    return true;
  }
}
