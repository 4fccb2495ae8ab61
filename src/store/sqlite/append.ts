import { isLive } from "#client/turn-state";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { fenced, storageFailed } from "../../errors.ts";
import type { EventBatch } from "../writes.ts";
import type { FileLeases } from "./file-leases.ts";
import type { Tables } from "./tables.ts";

/** As `Store.append`. Answers the key of the session where the turn has ended. */
export function append(
  tables: Tables,
  batch: EventBatch,
  epoch: number,
  leases: FileLeases,
): string | undefined {
  const { sessions, turns, events, requests, conversations, days, outbox } = tables;
  const { turnId, firstSequence, agentSessionId, state, steer, notifications, end, time } = batch;
  const { turnKey, sessionKey, ...turn } = turns.getAppended(turnId);
  leases.checkTurn(turn.epoch, epoch);
  const isLeft = turn.epoch !== epoch;
  // Of those who end what a server left one is the first.
  if (isLeft && !isLive(turn.state)) throw fenced();
  const last = isLeft ? turns.lastGiven(turnId) : turn.lastSequence;
  // A batch behind one that failed must fail too: it would leave a gap.
  if (last !== firstSequence - 1 || !isLive(turn.state)) {
    throw storageFailed("a batch does not follow the turn's last event");
  }
  tables.audit.append(leases.ownerOf(epoch), batch.audit);
  events.append(turnKey, firstSequence, batch.events);
  if (agentSessionId !== undefined && conversations.claim(sessionKey, agentSessionId)) {
    sessions.setConversation(sessionKey, agentSessionId);
  }
  if (state !== undefined) turns.setState(turnKey, state);
  addChanges(tables, turnKey, turn.state, batch);
  if (steer !== undefined) requests.insertSteer(steer, turnId, firstSequence);
  if (notifications !== undefined) outbox.add(leases.ownerOf(epoch), turnId, notifications, time);
  if (end === undefined) return undefined;
  const lastSequence = firstSequence - 1 + batch.events.length;
  turns.end(turnKey, lastSequence, end, sessions.nextChange(sessionKey), time);
  sessions.endTurn(sessionKey, turnId, end, time);
  const used = { costUsd: end.totalCostUsd, modelTurns: end.modelTurns ?? 0 };
  days.add(turn.principal, time, used);
  return sessionKey;
}

/** In the order in which they are understood: what asks comes behind the state that says so, what is decided before it. */
function addChanges(
  { turnChanges }: Tables,
  turnKey: number,
  before: TurnState,
  { state, end, approvals = [] }: EventBatch,
): void {
  const asks = state === TurnState.AWAITING_APPROVAL;
  if (asks) turnChanges.addState(turnKey, "changed", state);
  for (const approval of approvals) {
    turnChanges.addApproval(turnKey, asks ? state : before, approval);
  }
  if (end !== undefined) turnChanges.addState(turnKey, "ended", end.state);
  else if (state !== undefined && !asks) turnChanges.addState(turnKey, "changed", state);
}

/** Whether a batch is one event and nothing else: one statement, which leaves nothing of itself where it fails. */
export function isOneInsert({ events, ...more }: EventBatch): boolean {
  const { agentSessionId, state, steer, approvals, notifications, end, audit } = more;
  const isMore = agentSessionId ?? state ?? steer ?? approvals ?? notifications ?? end ?? audit;
  return events.length === 1 && isMore === undefined;
}
