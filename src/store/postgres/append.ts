import { isLive } from "#client/turn-state";
import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { fenced, storageFailed } from "../../errors.ts";
import type { EventBatch } from "../writes.ts";
import type { EventRows } from "./events-table.ts";
import type { Tables } from "./tables.ts";
import type { AppendedTurn } from "./turns-table.ts";

/** As `Store.append`. Answers the key of the session where the turn has ended. */
export async function append(
  tables: Tables,
  batch: EventBatch,
  epoch: number,
): Promise<string | undefined> {
  const { sessions, turns, events, requests, conversations, days, outbox } = tables;
  const { turnId, firstSequence, agentSessionId, state, steer, notifications, end, time } = batch;
  const turn = await appendedTurn(tables, batch, epoch);
  const { turnKey, sessionKey } = turn;
  const owner = await tables.leases.hold(epoch);
  await tables.audit.append(owner, batch.audit);
  await events.append(rowsOf([batch]));
  if (agentSessionId !== undefined && (await conversations.claim(sessionKey, agentSessionId))) {
    await sessions.setConversation(sessionKey, agentSessionId);
  }
  if (steer !== undefined) await requests.insertSteer(steer, turnId, firstSequence);
  if (notifications !== undefined) await outbox.add(owner, turnId, notifications, time);
  const lastSequence = firstSequence - 1 + batch.events.length;
  if (end === undefined) {
    if (state !== undefined) await turns.setState(turnKey, state);
    await addChanges(tables, turnKey, turn.state, batch);
    tables.appended.set(turnId, { ...turn, lastSequence, state: state ?? turn.state });
    return undefined;
  }
  await turns.end(turnKey, lastSequence, end, await sessions.nextChange(sessionKey), time);
  await sessions.endTurn(sessionKey, turnId, end, time);
  const used = { costUsd: end.totalCostUsd, modelTurns: end.modelTurns ?? 0 };
  await days.add(turn.principal, time, used);
  // Last: who counts changes waits for this commit.
  await addChanges(tables, turnKey, turn.state, batch);
  tables.appended.delete(turnId);
  return sessionKey;
}

/** The turn that a batch follows, of which the lease is locked. */
async function appendedTurn(
  tables: Tables,
  { turnId, firstSequence }: EventBatch,
  epoch: number,
): Promise<AppendedTurn> {
  const { turns } = tables;
  let turn = tables.appended.get(turnId) ?? (await turns.getAppended(turnId));
  await tables.leases.holdFor(turn.epoch, epoch);
  const isLeft = turn.epoch !== epoch;
  if (isLeft) {
    await turns.lock(turnId);
    turn = await turns.getAppended(turnId);
    // Of those who end what a server left one is the first.
    if (!isLive(turn.state)) throw fenced();
  }
  const last = isLeft ? await turns.lastGiven(turnId) : turn.lastSequence;
  if (!follows(turn, last, firstSequence)) {
    throw storageFailed("a batch does not follow the turn's last event");
  }
  return turn;
}

/** A batch behind one that failed must fail too: it would leave a gap. */
function follows({ state }: AppendedTurn, last: number, firstSequence: number): boolean {
  return last === firstSequence - 1 && isLive(state);
}

/** In the order in which they are understood: what asks comes behind the state that says so, what is decided before it. */
async function addChanges(
  { turnChanges }: Tables,
  turnKey: number,
  before: TurnState,
  { state, end, approvals = [] }: EventBatch,
): Promise<void> {
  const asks = state === TurnState.AWAITING_APPROVAL;
  if (asks) await turnChanges.addState(turnKey, "changed", state);
  for (const approval of approvals) {
    await turnChanges.addApproval(turnKey, asks ? state : before, approval);
  }
  if (end !== undefined) await turnChanges.addState(turnKey, "ended", end.state);
  else if (state !== undefined && !asks) await turnChanges.addState(turnKey, "changed", state);
}

/** Whether a batch is events and nothing else. */
export function isPlain(batch: EventBatch): boolean {
  const { agentSessionId, state, steer, approvals, notifications, end, audit } = batch;
  const isMore = agentSessionId ?? state ?? steer ?? approvals ?? notifications ?? end ?? audit;
  return batch.events.length > 0 && isMore === undefined;
}

/**
 * What is known of the turns of plain batches once they are appended. Undefined: one does not follow its turn's last event, or
 * of one it is not known what that is.
 */
export function afterPlain(
  { appended }: Tables,
  batches: readonly EventBatch[],
  epoch: number,
): ReadonlyMap<string, AppendedTurn> | undefined {
  const after = new Map<string, AppendedTurn>();
  for (const { turnId, firstSequence, events } of batches) {
    const turn = after.get(turnId) ?? appended.get(turnId);
    if (turn === undefined || turn.epoch !== epoch) return undefined;
    if (!follows(turn, turn.lastSequence, firstSequence)) return undefined;
    after.set(turnId, { ...turn, lastSequence: turn.lastSequence + events.length });
  }
  return after;
}

/** The events of batches as they are sent. */
export function rowsOf(batches: readonly EventBatch[]): EventRows {
  const [turnIds, sequences, events]: [string[], number[], Uint8Array[]] = [[], [], []];
  for (const batch of batches) {
    for (const [index, event] of batch.events.entries()) {
      turnIds.push(batch.turnId);
      sequences.push(batch.firstSequence + index);
      events.push(event);
    }
  }
  return { turnIds, sequences, events };
}
