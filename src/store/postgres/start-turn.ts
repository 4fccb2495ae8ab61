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
import type { Tables } from "./tables.ts";
import type { TurnsTable } from "./turns-table.ts";
import { Conflict } from "./write-errors.ts";

/** As `Store.createTurn`. The row of the session is locked from its look-up on. */
export async function startTurn(
  tables: Tables,
  start: TurnStart,
  epoch: number,
): Promise<StartedTurn> {
  const { turns, requests, days } = tables;
  const owner = await tables.leases.hold(epoch);
  const joined = await requests.findStart(start);
  if (joined !== undefined) return join(tables, start, joined);
  const found = await findSession(tables, start);
  const known = found && (await atHome(tables, start, found, owner));
  if (start.refusal !== undefined) {
    const { reason, message, details } = start.refusal;
    throw new Refusal(reason, message, details ?? { retryAfterMs: 1000 });
  }
  const today = await days.get(start.principal || (known?.principal ?? ""), start.time);
  refuseSpent(start, today);
  await refuseOverQuota(tables, start, known);
  const session = known ?? (await openSession(tables, start, owner));
  if (start.origin !== TurnOrigin.AGENT) refuseByAgent(start, session);
  refuseFull(start, session.turnCount);
  const begun = await record(tables, start, session, epoch);
  await tables.audit.append(owner, entriesIn(session, start));
  return { turn: (await turns.find(start.turnId))!, session: begun, joined: false, today };
}

/**
 * The session as it is at home here. It moves where its home is gone: the row is locked, so that a home that comes back meanwhile
 * finds it moved. What is refused later takes that back.
 *
 * @throws Refusal SESSION_ELSEWHERE
 */
async function atHome(
  { leases, sessions }: Tables,
  { workspaceIfMoved }: TurnStart,
  session: SessionRecord,
  owner: string,
): Promise<SessionRecord> {
  const { home, sessionKey } = session;
  if (home === owner) return session;
  const isMovable = workspaceIfMoved !== undefined && !hasUnended(session);
  if (!isMovable || (await leases.isHeldBy(home))) throw sessionElsewhere(home);
  return sessions.move(sessionKey, owner, workspaceIfMoved);
}

/** The turn that the same request started. */
async function join(
  { turns, sessions, days }: Tables,
  { principal, time }: TurnStart,
  turnId: string,
): Promise<StartedTurn> {
  const turn = await turns.find(turnId);
  const session = turn && (await sessions.findByKey(turn.sessionKey));
  if (session === undefined) throw notFound("turn");
  return { turn: turn!, session, joined: true, today: await days.get(principal, time) };
}

/** Answers the session with the turn. */
async function record(
  { sessions, turns, turnChanges, requests, appended }: Tables,
  start: TurnStart,
  session: SessionRecord,
  epoch: number,
): Promise<SessionRecord> {
  const { sessionId, sessionKey } = session;
  const state = await stateOf(turns, start, session);
  const begun = await sessions.addTurn(sessionKey, start, state);
  const turnKey = await turns.insert(start, session, state, begun.changeCount, epoch);
  if (!(await requests.insertStart(start, sessionId))) throw new Conflict();
  await turnChanges.addState(turnKey, "started", state);
  const principal = start.principal || session.principal;
  const known = { turnKey, sessionKey, principal, state, lastSequence: 0, epoch };
  if (state === TurnState.RUNNING) appended.set(start.turnId, known);
  return begun;
}

/** Refuses a caller's turn for which there is no room in what the session's principal may have on record. */
async function refuseOverQuota(
  { sessions }: Tables,
  { origin, quotas, principal, attachments }: TurnStart,
  known: SessionRecord | undefined,
): Promise<void> {
  if (origin === TurnOrigin.AGENT || quotas === undefined) return;
  if (known === undefined && quotas.sessions > 0) {
    refuseOverSessions(quotas.sessions, await sessions.countOf(principal));
  }
  if (attachments.length > 0 && quotas.attachmentBytes > 0) {
    const owner = known?.principal ?? principal;
    const held = { ...(await sessions.attachmentsOf(owner)), owner };
    refuseOverAttachments(quotas.attachmentBytes, attachmentBytesOf(attachments), held, principal);
  }
}

async function findSession(
  { sessions }: Tables,
  start: TurnStart,
): Promise<SessionRecord | undefined> {
  const { sessionId } = start.newSession;
  if (start.sessionKey !== "") {
    const other = await sessions.findLocked(start.sessionKey);
    // Deleted meanwhile: none is opened in its place.
    if (other === undefined) throw notFound("session");
    return other;
  }
  return sessions.findLocked(
    start.origin === TurnOrigin.AGENT ? sessionId : { principal: start.principal, sessionId },
  );
}

async function openSession(tables: Tables, start: TurnStart, home: string): Promise<SessionRecord> {
  const { sessions, conversations, processes } = tables;
  const { agentKind, workspace, agentSessionId } = start.newSession;
  if (start.origin === TurnOrigin.AGENT) throw notFound("session");
  const session = await sessions.open(start, home);
  if (agentSessionId !== "") await conversations.add(session.sessionKey, agentKind, agentSessionId);
  // The process that waits there is the session's from now on.
  await processes.takeOver(workspace, session.sessionKey);
  return session;
}

/** A caller's turn waits for one of the agent's own. Everything else that runs or waits is in the way. */
async function stateOf(
  turns: TurnsTable,
  { origin }: TurnStart,
  { queuedTurnId, runningTurnId }: SessionRecord,
): Promise<TurnState> {
  if (queuedTurnId !== "") throw turnInProgress(queuedTurnId);
  if (runningTurnId === "") return TurnState.RUNNING;
  const isOwnWork = (await turns.originOf(runningTurnId)) === TurnOrigin.AGENT;
  if (origin !== TurnOrigin.CALLER || !isOwnWork) throw turnInProgress(runningTurnId);
  return TurnState.QUEUED;
}
