import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import { notFound, Refusal, sessionElsewhere, unsupportedByAgent } from "../../errors.ts";
import type { SessionRecord } from "../records.ts";
import type { StartedTurn, TurnStart } from "../writes.ts";
import type { Tables } from "./tables.ts";
import type { TurnsTable } from "./turns-table.ts";

/** As `Store.createTurn`. */
export function startTurn(
  tables: Tables,
  start: TurnStart,
  epoch: number,
  owner: string,
): StartedTurn {
  const { sessions, turns, requests } = tables;
  const joined = requests.findStart(start);
  if (joined !== undefined) {
    const turn = turns.find(joined);
    const session = turn && sessions.findByKey(turn.sessionKey);
    if (session === undefined) throw notFound("turn");
    return { turn: turn!, session, joined: true };
  }
  const known = findSession(tables, start);
  if (known !== undefined && known.home !== owner) throw sessionElsewhere(known.home);
  if (start.refusal !== undefined) {
    throw new Refusal(start.refusal.reason, start.refusal.message, { retryAfterMs: 1000 });
  }
  const session = known ?? openSession(tables, start, owner);
  if (start.origin !== TurnOrigin.AGENT) refuseByAgent(start, session);
  const { sessionId, sessionKey, turnCount } = session;
  if (start.origin !== TurnOrigin.AGENT && turnCount >= start.maxSessionTurns) {
    const message = `the session has ${turnCount} turns on record, its limit: begin another, or delete it`;
    throw new Refusal("SESSION_FULL", message);
  }
  const state = stateOf(turns, start, session);
  turns.insert(start, session, state, sessions.nextChange(sessionKey), epoch);
  sessions.addTurn(sessionKey, start.turnId, state, start.time);
  requests.insertStart(start, sessionId);
  return {
    turn: turns.find(start.turnId)!,
    session: sessions.findByKey(sessionKey)!,
    joined: false,
  };
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
function refuseByAgent({ sentAgentKind, agents }: TurnStart, session: SessionRecord): void {
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
