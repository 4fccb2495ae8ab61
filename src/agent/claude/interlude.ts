import type { EventKind } from "../agent.ts";
import { isTerminal } from "../agent.ts";
import { denyResponse, unknownResponse } from "./command-line.ts";
import type { Message } from "./line.ts";
import * as messages from "./messages.ts";
import { SYNTHETIC_MODEL } from "./synthetic.ts";
import { ClaudeTranslation } from "./translation.ts";

/** What is kept for the next turn; more in both than background tasks are known to give. */
const MAX_EVENTS = 1000;
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * What the CLI prints while no turn is running: kept for the session's next turn, so that nothing is lost. It usually is
 * the end of a task in the background, or what a subagent there does.
 */
export class Interlude {
  readonly #agent: string;
  #translation: ClaudeTranslation;
  #events: EventKind[] = [];
  /** Of the lines that they came in. */
  #bytes = 0;

  constructor(agent: string) {
    this.#agent = agent;
    this.#translation = this.#begin();
  }

  /** Whether it came to more than is kept: there is no turn to hold the process up. */
  get isFull(): boolean {
    return this.#events.length >= MAX_EVENTS || this.#bytes > MAX_BYTES;
  }

  message(message: Message, line: string): void {
    const events: EventKind[] = [];
    this.#translation.take(message, line, events);
    if (events.length > 0) this.#bytes += line.length;
    this.keep(events);
    if (this.#translation.ended) this.#translation = this.#begin();
  }

  malformed(line: string): void {
    const events: EventKind[] = [];
    this.#translation.malformed(line, events);
    this.keep(events);
  }

  overlong(bytes: number): void {
    const events: EventKind[] = [];
    this.#translation.skipped(bytes, events);
    this.keep(events);
  }

  /** Nobody can be asked. */
  asked(message: Message, to: { write(line: string): void }): void {
    const { request_id, request } = messages.controlRequest.safeParse(message).data ?? {};
    if (request_id === undefined || request === undefined) return;
    if (request.subtype !== "can_use_tool") to.write(unknownResponse(request_id, request.subtype));
    else to.write(denyResponse(request_id, "No turn is running, so that nobody can approve it."));
  }

  /** Keeps events for the next turn, but for those that each turn has of its own. */
  keep(events: readonly EventKind[]): void {
    for (const event of events) {
      if (event.case === "session" || event.case === "textDelta" || isTerminal(event)) continue;
      if (!this.isFull) this.#events.push(event);
    }
  }

  /** Gives up what was kept. */
  take(): EventKind[] {
    const events = this.#events;
    this.#events = [];
    this.#bytes = 0;
    return events;
  }

  #begin(): ClaudeTranslation {
    return new ClaudeTranslation({ agent: this.#agent, resumed: false });
  }
}

/** Whether a message only ever comes within a turn: a result, or the agent's own words. */
export function isOutOfTurn(message: Message): boolean {
  if (message.type === "result") return true;
  if (message.type !== "assistant") return false;
  const { data } = messages.assistant.safeParse(message);
  return data !== undefined && !data.parent_tool_use_id && data.message.model !== SYNTHETIC_MODEL;
}
