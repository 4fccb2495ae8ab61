import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { MemoryBudget } from "../../stream/memory-budget.ts";
import type { EventKind } from "../agent.ts";
import { isTerminal } from "../agent.ts";
import { MAX_ID_LENGTH } from "./agent-memory.ts";
import { denyResponse, unknownResponse } from "./command-line.ts";
import { noticeEvent } from "./events.ts";
import type { Message } from "./line.ts";
import type { RefusalCause } from "./malformed.ts";
import * as messages from "./messages.ts";
import { SYNTHETIC_MODEL } from "./synthetic.ts";
import { ClaudeTranslation } from "./translation.ts";

/** What is kept for the next turn, beside its bytes; more than background tasks are known to give. */
const MAX_EVENTS = 1000;
/** What may be printed for it, kept or not; without a turn nothing else holds the process up. */
const MAX_PRINTED_BYTES = 4 * 1024 * 1024;
/** What an event takes beside its texts. */
const EVENT_BYTES = 500;
const SUBTYPE_LENGTH = 100;

/** No other turn can answer what was asked in one. */
const OF_ONE_TURN: ReadonlySet<EventKind["case"]> = new Set([
  "session",
  "textDelta",
  "approvalRequest",
  "approvalResolution",
] as const);

/**
 * What the CLI prints while no turn is running: kept for the session's next turn, so that nothing is lost. It usually is
 * the end of a task in the background, or what a subagent there does.
 */
export class Interlude {
  readonly #agent: string;
  readonly #memory: MemoryBudget;
  #translation: ClaudeTranslation;
  #events: EventKind[] = [];
  /** Of the lines that gave something to keep, or nothing but a complaint. */
  #printedBytes = 0;
  /** How many events there was no room for. */
  #lost = 0;

  /** @param memory - What is kept is taken from it. */
  constructor(agent: string, memory: MemoryBudget) {
    this.#agent = agent;
    this.#memory = memory;
    this.#translation = this.#begin();
  }

  /** Whether it came to more than is kept: there is no turn to hold the process up. */
  get isFull(): boolean {
    return this.#lost > 0 || this.#printedBytes > MAX_PRINTED_BYTES;
  }

  message(message: Message, line: string): void {
    const events: EventKind[] = [];
    this.#translation.take(message, line, events);
    this.#note(events, line.length);
    if (this.#translation.ended) this.#translation = this.#begin();
  }

  malformed(line: string): void {
    const events: EventKind[] = [];
    this.#translation.malformed(line, events);
    this.#note(events, line.length);
  }

  refused(bytes: number, cause: RefusalCause): void {
    const events: EventKind[] = [];
    this.#translation.skipped(bytes, cause, events);
    this.#note(events, bytes);
  }

  /** Nobody can be asked. */
  asked(message: Message, to: { reply(line: string): void }): void {
    const { request_id, request } = messages.controlRequest.safeParse(message).data ?? {};
    if (request_id === undefined || request === undefined) return;
    if (request_id.length > MAX_ID_LENGTH) return;
    const subtype = request.subtype.slice(0, SUBTYPE_LENGTH);
    if (subtype !== "can_use_tool") to.reply(unknownResponse(request_id, subtype));
    else to.reply(denyResponse(request_id, "No turn is running, so that nobody can approve it."));
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
  take(): EventKind[] {
    const events = this.#events;
    if (this.#lost > 0) events.push(lostNotice(this.#lost));
    this.#events = [];
    this.#printedBytes = 0;
    this.#lost = 0;
    this.#memory.giveBack(this.#memory.taken);
    return events;
  }

  #note(events: readonly EventKind[], printedBytes: number): void {
    if (events.length > 0) this.#printedBytes += printedBytes;
    this.keep(events);
  }

  #begin(): ClaudeTranslation {
    return new ClaudeTranslation({ agent: this.#agent, resumed: false });
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

/** Whether a message only ever comes within a turn: a result, or the agent's own words. */
export function isOutOfTurn(message: Message): boolean {
  if (message.type === "result") return true;
  if (message.type !== "assistant") return false;
  const { data } = messages.assistant.safeParse(message);
  return data !== undefined && !data.parent_tool_use_id && data.message.model !== SYNTHETIC_MODEL;
}
