import { TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import { type DaySpending, spendingRefusal } from "../../day-spending.ts";
import { Refusal, unsupportedByAgent } from "../../errors.ts";
import { bytesText, quotaExceeded } from "../../quota.ts";
import type { SessionRecord } from "../records.ts";
import type { TurnStart } from "../writes.ts";

/** Refuses a caller's turn whose principal has used all of the day. */
export function refuseSpent(
  { origin, dayLimits, principal, time }: TurnStart,
  today: DaySpending,
): void {
  if (origin === TurnOrigin.AGENT || dayLimits === undefined) return;
  const refusal = spendingRefusal(principal, today, dayLimits, time);
  if (refusal !== undefined) throw refusal;
}

/** Refuses a session that would be one too many. */
export function refuseOverSessions(
  most: number,
  { count: used, sessionId }: { readonly count: number; readonly sessionId: string },
): void {
  const message = `you have ${used} sessions, the most of one principal (BREAKGLASS_MAX_PRINCIPAL_SESSIONS)`;
  if (used >= most) throw quotaExceeded({ limit: "sessions", used, most, message, sessionId });
}

/** Refuses attachments that would be too much beside what a principal, asked for by another perhaps, has of them. */
export function refuseOverAttachments(
  most: number,
  sent: number,
  held: { readonly bytes: number; readonly sessionId: string; readonly owner: string },
  principal: string,
): void {
  const { bytes: used, sessionId: largest, owner } = held;
  const isOwn = owner === principal;
  // Which sessions another has is not theirs to know.
  const sessionId = isOwn ? largest : "";
  const whose = isOwn ? "your sessions have" : `the sessions of ${owner} have`;
  const message = `${whose} ${bytesText(used)} of attachments, and may have ${bytesText(most)} (BREAKGLASS_MAX_PRINCIPAL_ATTACHMENT_BYTES): ${bytesText(sent)} are too much`;
  const exceeded = { limit: "attachment_bytes", used, most, message, sessionId } as const;
  if (used + sent > most) throw quotaExceeded(exceeded);
}

/** Whether a turn runs or waits in a session. */
export function hasUnended({ runningTurnId, queuedTurnId }: SessionRecord): boolean {
  return runningTurnId !== "" || queuedTurnId !== "";
}

/** Refuses what needs a session in which no turn runs or waits. */
export function turnInProgress(turnId: string): Refusal {
  return new Refusal("TURN_IN_PROGRESS", `turn ${turnId} is running in the session`, {
    metadata: { turn_id: turnId },
  });
}

/** Refuses what the session's agent does not take. */
export function refuseByAgent({ sentAgentKind, agents }: TurnStart, session: SessionRecord): void {
  const { agentKind, sessionKey, changeCount } = session;
  const metadata = { agent_kind: agentKind };
  if (sentAgentKind !== "" && sentAgentKind !== agentKind) {
    const message = `the session's agent is ${agentKind}, and stays it: leave agent_kind empty, or begin another session`;
    throw new Refusal("AGENT_KIND_MISMATCH", message, { metadata });
  }
  const agent = agents.find(({ kind }) => kind === agentKind);
  if (agent === undefined) {
    const served = agents.map(({ kind }) => kind).join(", ");
    const message = `the session's agent is ${agentKind}, which this server does not run; it runs ${served}`;
    throw new Refusal("AGENT_KIND_NOT_SERVED", message, { metadata });
  }
  const { refusal, remembered } = agent;
  if (refusal !== undefined) throw new Refusal(refusal.reason, refusal.message, refusal.details);
  const isForgotten = remembered !== undefined && !remembered.includes(sessionKey);
  if (isForgotten && changeCount > 0) throw unsupportedByAgent(agentKind, "resume");
}

/** Refuses a caller's turn in a session that has as many as it may. */
export function refuseFull({ origin, maxSessionTurns }: TurnStart, turnCount: number): void {
  if (origin === TurnOrigin.AGENT || turnCount < maxSessionTurns) return;
  const message = `the session has ${turnCount} turns on record, its limit: begin another, or delete it`;
  throw new Refusal("SESSION_FULL", message);
}

/** What goes on the audit chain with a turn in a session: whose that is, where another runs it. */
export function entriesIn({ sessionId, principal }: SessionRecord, { audit, ...start }: TurnStart) {
  const isOther = start.principal !== "" && start.principal !== principal;
  const whose = isOther ? { session_principal: principal } : {};
  return audit?.map((entry) => ({ ...entry, sessionId, facts: { ...entry.facts, ...whose } }));
}
