import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import { notFound, Refusal, sessionElsewhere } from "../../errors.ts";
import { attachmentBytesOf } from "../common/session-row.ts";
import {
  entriesIn,
  hasUnended,
  refuseByAgent,
  refuseFull,
  refuseOverAttachments,
  refuseOverSessions,
  refuseSpent,
  turnInProgress,
} from "../common/start-refusals.ts";
import type { SessionRecord } from "../records.ts";
import type { StartedTurn, TurnStart } from "../writes.ts";
import type { FileLeases } from "./file-leases.ts";
import type { Tables } from "./tables.ts";
import type { TurnsTable } from "./turns-table.ts";

/** As `Store.createTurn`. */
export function startTurn(
  tables: Tables,
  start: TurnStart,
  epoch: number,
  leases: FileLeases,
): StartedTurn {
  const owner = leases.ownerOf(epoch);
  const { sessions, turns, requests, prompts, turnChanges } = tables;
  const joined = requests.findStart(start);
  if (joined !== undefined) {
    const turn = turns.find(joined);
    const session = turn && sessions.findByKey(turn.sessionKey);
    if (session === undefined) throw notFound("turn");
    const today = tables.days.get(start.principal, start.time);
    return { turn: turn!, session, joined: true, today };
  }
  const found = findSession(tables, start);
  const known = found && atHome(tables, start, found, owner, leases);
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

/**
 * The session as it is at home here. It moves where its home is gone; what is refused later takes that back.
 *
 * @throws Refusal SESSION_ELSEWHERE
 */
function atHome(
  { sessions }: Tables,
  { workspaceIfMoved }: TurnStart,
  session: SessionRecord,
  owner: string,
  leases: FileLeases,
): SessionRecord {
  const { home, sessionKey } = session;
  if (home === owner) return session;
  const isMovable = workspaceIfMoved !== undefined && !hasUnended(session);
  if (!isMovable || leases.isHeldBy(home)) throw sessionElsewhere(home);
  sessions.move(sessionKey, owner, workspaceIfMoved);
  return sessions.findByKey(sessionKey)!;
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
