import { NoticeReason } from "../../gen/breakglass/v1/event_pb.ts";
import type { MemoryBudget } from "../stream/memory-budget.ts";
import { type EventKind, isTerminal } from "./agent.ts";
import { noticeEvent } from "./events.ts";

/** What is kept for the next turn, beside its bytes; more than background tasks are known to give. */
const MAX_EVENTS = 1000;
/** What may be printed for it, kept or not; without a turn nothing else holds the process up. */
const MAX_PRINTED_BYTES = 4 * 1024 * 1024;
/** What an event takes beside its texts. */
const EVENT_BYTES = 500;

/** No other turn can answer what was asked in one. */
const OF_ONE_TURN: ReadonlySet<EventKind["case"]> = new Set([
  "session",
  "textDelta",
  "approvalRequest",
  "approvalResolution",
] as const);

/** Events of the time while no turn is running, kept for the session's next one, so that nothing is lost. */
export class IdleEvents {
  readonly #memory: MemoryBudget;
  #events: EventKind[] = [];
  /** Of the lines that gave something to keep, or nothing but a complaint. */
  #printedBytes = 0;
  /** How many events there was no room for. */
  #lost = 0;

  /** @param memory - What is kept is taken from it. */
  constructor(memory: MemoryBudget) {
    this.#memory = memory;
  }

  /** Whether it came to more than is kept: there is no turn to hold the process up. */
  get isFull(): boolean {
    return this.#lost > 0 || this.#printedBytes > MAX_PRINTED_BYTES;
  }

  /** Keeps what was made of so many bytes. */
  note(events: readonly EventKind[], printedBytes: number): void {
    if (events.length > 0) this.#printedBytes += printedBytes;
    this.keep(events);
  }

  /** So many bytes were printed of what is told by its number alone. */
  complain(printedBytes: number): void {
    this.#printedBytes += printedBytes;
  }

  /** Keeps events for the next turn, but for those that each turn has of its own. */
  keep(events: readonly EventKind[]): void {
    for (const event of events) {
      if (OF_ONE_TURN.has(event.case) || isTerminal(event)) continue;
      const hasRoom = this.#events.length < MAX_EVENTS && this.#memory.take(weightOf(event));
      if (hasRoom) this.#events.push(event);
      else this.#lost++;
    }
  }

  /** Gives up what was kept, and says what was not. */
  drain(): EventKind[] {
    const events = this.#events;
    if (this.#lost > 0) events.push(lostNotice(this.#lost));
    this.#events = [];
    this.#printedBytes = 0;
    this.#lost = 0;
    this.#memory.giveBack(this.#memory.taken);
    return events;
  }
}

/** What events take in memory, in bytes, about. None of them is a result. */
export function weightOf(...events: readonly EventKind[]): number {
  let bytes = 0;
  for (const { value } of events) {
    bytes += EVENT_BYTES;
    for (const part of Object.values(value)) {
      if (typeof part === "string") bytes += Buffer.byteLength(part);
    }
  }
  return bytes;
}

/** The notice of events that came while no turn was running, and were more than is kept. */
export function lostNotice(count: number): EventKind {
  const text = `The agent printed more than is kept while no turn was running; events that are lost: ${count}`;
  return noticeEvent(NoticeReason.AGENT_WARNING, text);
}
