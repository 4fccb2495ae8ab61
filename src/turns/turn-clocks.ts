import { Silence } from "./silence.ts";
import type { TurnLimits } from "./turn-surroundings.ts";

/** What is done when a time is up. */
export interface Alarms {
  /** Whether the agent has a reason to print nothing: it waits for an answer. */
  isExcused(): boolean;
  turnTimedOut(limitMs: number): void;
  idleTimedOut(limitMs: number): void;
  /** Nothing was heard for so long; told again each time that it has lasted twice as long. */
  silenceLasts(lastedMs: number): void;
}

/** The clocks of one turn, which nobody's setting of the time changes. */
export class TurnClocks {
  readonly #alarms: Alarms;
  readonly #idleMs: number;
  readonly #endsAt: number;
  readonly #turn: NodeJS.Timeout;
  readonly #silence: Silence;
  #idle: NodeJS.Timeout | undefined;

  /** Starts the whole turn's. */
  constructor({ timeoutMs, idleTimeoutMs, silenceMs }: TurnLimits, alarms: Alarms) {
    this.#alarms = alarms;
    this.#idleMs = idleTimeoutMs;
    this.#endsAt = performance.now() + timeoutMs;
    this.#turn = setTimeout(() => alarms.turnTimedOut(timeoutMs), timeoutMs);
    this.#silence = new Silence(silenceMs, (lastedMs) => alarms.silenceLasts(lastedMs));
  }

  /** What the whole turn has left, in milliseconds. */
  get leftMs(): number {
    return Math.max(0, this.#endsAt - performance.now());
  }

  /** Starts those of the agent, which has begun. */
  startAgent(): void {
    this.#idle = setTimeout(() => this.#idleIsUp(), this.#idleMs);
    this.#silence.heard();
  }

  /** The agent gets its time anew. */
  heard(): void {
    this.#idle?.refresh();
    this.#silence.heard();
  }

  stop(): void {
    clearTimeout(this.#turn);
    clearTimeout(this.#idle);
    this.#silence.stop();
  }

  #idleIsUp(): void {
    if (this.#alarms.isExcused()) this.#idle?.refresh();
    else this.#alarms.idleTimedOut(this.#idleMs);
  }
}
