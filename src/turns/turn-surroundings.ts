import type { Agents } from "../agent/agents.ts";
import type { Log } from "../log.ts";
import type { Store } from "../store/store.ts";
import type { RecentEventsBudget } from "./recent-events.ts";
import type { TurnAudit } from "./turn-audit.ts";

/** Bounds of one turn. */
export interface TurnLimits {
  /** From its record to its end, in milliseconds. */
  readonly timeoutMs: number;
  /** Between two lines of the agent, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** How long an approval is waited for, in milliseconds. */
  readonly approvalMs: number;
  /** How long the model may be silent before readers are told, in milliseconds. */
  readonly silenceMs: number;
  /** One serialized event. */
  readonly maxEventBytes: number;
  /** All serialized events. */
  readonly maxTurnBytes: number;
}

/** What a turn is run with. */
export interface TurnSurroundings {
  readonly store: Store;
  readonly agents: Agents;
  readonly log: Log;
  /** What is recorded of who does what. */
  readonly audit: TurnAudit;
  /** What its newest events share the memory with. */
  readonly recentEvents: RecentEventsBudget;
}
