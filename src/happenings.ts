import type { EventKind } from "./agent/agent.ts";
import type { TurnRecord } from "./store/records.ts";
import type { TurnEndRecord } from "./store/writes.ts";
import type { TraceContext } from "./trace-context.ts";

/**
 * What happens in a server, told to whoever is to know: the log, the metrics, the traces. Whoever tells does not know who
 * listens. Nothing that is told is waited for, and none of these methods throws.
 */
export interface Happenings {
  /**
   * A turn is on record, and is run here.
   *
   * @param agentKind - The kind of its session's agent.
   * @param trace - The trace that its request is part of. Undefined: none.
   * @returns Who is told of what becomes of it.
   */
  turnAccepted(
    turn: TurnRecord,
    agentKind: string,
    trace: TraceContext | undefined,
  ): TurnHappenings;
  /** The end is on record of a turn that a server before left. */
  leftTurnEnded(turn: Pick<TurnRecord, "turnId" | "sessionId">, end: TurnEndRecord): void;
  /** A request was refused, for one of the reasons that callers are told. */
  requestRefused(reason: string): void;
}

/** What happens in one turn, in this order but for approvals. */
export interface TurnHappenings {
  /** The trace that the turn's agent is to go on with. Undefined: none. */
  readonly trace: TraceContext | undefined;
  /** The agent has begun to work on it. */
  started(): void;
  /** The agent has written the first of its text. */
  wrote(): void;
  /** Events were given their places. Each batch of the agent's comes once; the text that it is writing does not come. */
  appended(kinds: readonly EventKind[]): void;
  /** An approval is asked for, or decided: at once, before the event that says so is appended. */
  approval(kind: EventKind): void;
  /** The end is on record. */
  ended(end: TurnEndRecord): void;
  /** Nothing more is told, whether or not the end is on record here. */
  over(): void;
}

/** Tells nobody. */
export const NOBODY_TOLD: Happenings = {
  turnAccepted: (_turn, _agentKind, trace) => ({
    trace,
    started() {},
    wrote() {},
    appended() {},
    approval() {},
    ended() {},
    over() {},
  }),
  leftTurnEnded() {},
  requestRefused() {},
};
