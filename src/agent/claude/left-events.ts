import type { MemoryBudget } from "../../stream/memory-budget.ts";
import type { EventKind } from "../agent.ts";
import { lostNotice, weightOf } from "./interlude.ts";

/** So many sessions at most are told later what their process left. */
const MAX_SESSIONS = 1000;

/** What sessions whose process has ended have not been told of. */
export class LeftEvents {
  readonly #memory: MemoryBudget;
  readonly #bySession = new Map<string, { readonly events: EventKind[]; readonly bytes: number }>();

  /** @param memory - What all of them are taken from. */
  constructor(memory: MemoryBudget) {
    this.#memory = memory;
  }

  /** Keeps events for a session's next process; where there is no room for them, only how many there were. */
  keep(sessionId: string, events: EventKind[]): void {
    const before = this.take(sessionId);
    const all = [...before, ...events];
    if (all.length === 0 || this.#bySession.size >= MAX_SESSIONS) return;
    if (!this.#put(sessionId, all)) this.#put(sessionId, [lostNotice(all.length)]);
  }

  /** Gives up what a session has not been told of. */
  take(sessionId: string): EventKind[] {
    const { events = [], bytes = 0 } = this.#bySession.get(sessionId) ?? {};
    this.#bySession.delete(sessionId);
    this.#memory.giveBack(bytes);
    return events;
  }

  #put(sessionId: string, events: EventKind[]): boolean {
    const bytes = weightOf(...events);
    if (!this.#memory.take(bytes)) return false;
    this.#bySession.set(sessionId, { events, bytes });
    return true;
  }
}
