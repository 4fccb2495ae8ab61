import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import { type DaySpending, spendingRefusal } from "../../day-spending.ts";
import { notFound, Refusal, sessionElsewhere, unsupportedByAgent } from "../../errors.ts";
import { bytesText, quotaExceeded } from "../../quota.ts";
import type { SessionRecord } from "../records.ts";
import type { StartedTurn, TurnStart } from "../writes.ts";
import { attachmentBytesOf } from "./sessions-table.ts";
import type { Tables } from "./tables.ts";
import type { TurnsTable } from "./turns-table.ts";

/** As `Store.createTurn`. */
export function startTurn(
  tables: Tables,
  start: TurnStart,
  epoch: number,
  owner: string,
): StartedTurn {
  const { sessions, turns, requests, prompts, turnChanges } = tables;
  const joined = requests.findStart(start);
  if (joined !== undefined) {
    const turn = turns.find(joined);
    const session = turn && sessions.findByKey(turn.sessionKey);
    if (session === undefined) throw notFound("turn");
    const today = tables.days.get(start.principal, start.time);
    return { turn: turn!, session, joined: true, today };
  }
  const known = findSession(tables, start);
  if (known !== undefined && known.home !== owner) throw sessionElsewhere(known.home);
  if (start.refusal !== undefined) {
    const { reason, message, details } = start.refusal;
    throw new Refusal(reason, message, details ?? { retryAfterMs: 1000 });
  }
  const today = tables.days.get(start.principal || (known?.principal ?? ""), start.time);
  refuseSpent(start, today);
  refuseOverQuota(tables, start, known);
  const session = known ?? openSession(tables, start, owner);
  if (start.origin !== TurnOrigin.AGENT) refuseByAgent(start, session);
  const { sessionId, sessionKey, turnCount, principal: sessionPrincipal } = session;
  refuseFull(start, turnCount);
  const state = stateOf(turns, start, session);
  const searchKey = prompts.nextKey(start.time);
  const change = sessions.nextChange(sessionKey);
  const turnKey = turns.insert(start, session, state, change, epoch, searchKey);
  turnChanges.addState(turnKey, "started", state);
  const principal = start.principal || sessionPrincipal;
  prompts.add(searchKey, start.prompt, { ...start, principal, sessionPrincipal });
  sessions.addTurn(sessionKey, start, state);
  requests.insertStart(start, sessionId);
  tables.audit.append(owner, entriesIn(session, start));
  return {
    turn: turns.find(start.turnId)!,
    session: sessions.findByKey(sessionKey)!,
    joined: false,
    today,
  };
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

/** Refuses a caller's turn whose principal has used all of the day. */
export function refuseSpent(
  { origin, dayLimits, principal, time }: TurnStart,
  today: DaySpending,
): void {
  if (origin === TurnOrigin.AGENT || dayLimits === undefined) return;
  const refusal = spendingRefusal(principal, today, dayLimits, time);
  if (refusal !== undefined) throw refusal;
}

/** Refuses a caller's turn for which there is no room in what the session's principal may have on record. */
function refuseOverQuota(
  { sessions }: Tables,
  { origin, quotas, principal, attachments }: TurnStart,
  known: SessionRecord | undefined,
): void {
  if (origin === TurnOrigin.AGENT || quotas === undefined) return;
  if (known === undefined && quotas.sessions > 0) {
    refuseOverSessions(quotas.sessions, sessions.countOf(principal));
  }
  if (attachments.length > 0 && quotas.attachmentBytes > 0) {
    const owner = known?.principal ?? principal;
    const sent = attachmentBytesOf(attachments);
    const held = { ...sessions.attachmentsOf(owner), owner };
    refuseOverAttachments(quotas.attachmentBytes, sent, held, principal);
  }
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

/** Refuses what needs a session in which no turn runs or waits. */
export function turnInProgress(turnId: string): Refusal {
  return new Refusal("TURN_IN_PROGRESS", `turn ${turnId} is running in the session`, {
    metadata: { turn_id: turnId },
  });
}

function findSession({ sessions }: Tables, start: TurnStart): SessionRecord | undefined {
  const { sessionId } = start.newSession;
  if (start.sessionKey !== "") {
    const other = sessions.findByKey(start.sessionKey);
    // Deleted meanwhile: none is opened in its place.
    if (other === undefined) throw notFound("session");
    return other;
  }
  return start.origin === TurnOrigin.AGENT
    ? sessions.findByKey(sessionId)
    : sessions.find({ principal: start.principal, sessionId });
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

function openSession(tables: Tables, start: TurnStart, home: string): SessionRecord {
  const { sessions, conversations, processes } = tables;
  const { agentKind, workspace, agentSessionId } = start.newSession;
  if (start.origin === TurnOrigin.AGENT) throw notFound("session");
  const session = sessions.open(start, home);
  if (agentSessionId !== "") conversations.add(session.sessionKey, agentKind, agentSessionId);
  // The process that waits there is the session's from now on.
  processes.takeOver(workspace, session.sessionKey);
  return session;
}

/** A caller's turn waits for one of the agent's own. Everything else that runs or waits is in the way. */
function stateOf(
  turns: TurnsTable,
  { origin }: TurnStart,
  { queuedTurnId, runningTurnId }: SessionRecord,
): TurnState {
  if (queuedTurnId !== "") throw turnInProgress(queuedTurnId);
  if (runningTurnId === "") return TurnState.RUNNING;
  const waits = origin === TurnOrigin.CALLER && turns.originOf(runningTurnId) === TurnOrigin.AGENT;
  if (!waits) throw turnInProgress(runningTurnId);
  return TurnState.QUEUED;
}
