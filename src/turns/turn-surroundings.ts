import type { Agents } from "../agent/agents.ts";
import type { Owner } from "../files/owner.ts";
import type { Happenings } from "../happenings.ts";
import type { Log } from "../log.ts";
import type { Redaction } from "../redaction/redaction.ts";
import type { Store } from "../store/store.ts";
import type { Timers } from "../stream/timers.ts";
import type { DaySpendings } from "./day-spendings.ts";
import type { ToldKinds } from "./notifications.ts";
import type { RecentEventsBudget } from "./recent-events.ts";
import type { SessionMoves } from "./session-moves.ts";
import type { TurnAudit } from "./turn-audit.ts";
import type { SpendingLimits } from "./turn-spending.ts";

/** Bounds of one turn. */
export interface TurnLimits extends SpendingLimits {
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
  readonly happenings: Happenings;
  /** Whose workspaces are, and what is put into them. Undefined: the server's own. */
  readonly filesOwner?: Owner | undefined;
  /** What is recorded of who does what. */
  readonly audit: TurnAudit;
  /** What its newest events share the memory with. */
  readonly recentEvents: RecentEventsBudget;
  /** What each principal has used today. */
  readonly days: DaySpendings;
  /** What somebody outside is to be told of. Left out: nothing. */
  readonly toldKinds?: ToldKinds;
  /** What is kept so that the session can go on elsewhere. Left out: nothing is. */
  readonly moves?: SessionMoves | undefined;
  /** What takes secrets out of what goes on record. Left out: nothing does. */
  readonly redaction?: Redaction;
  /** What is waited by for a store. Left out: Node's. */
  readonly timers?: Timers;
}
