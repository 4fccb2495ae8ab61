import { isLive } from "#client/turn-state";
import type { Refusal } from "../errors.ts";
import type { Caller } from "../identity/caller.ts";
import type { Permissions, Standing } from "../identity/permissions.ts";
import type { TurnRecord } from "../store/records.ts";
import type { TurnView } from "../store/views.ts";
import { KeyedQueue } from "../stream/keyed-queue.ts";
import type { ApprovalResolution, SteerTurn } from "../turn-requests.ts";
import { refusalOfLateAnswer, turnEnded } from "./approvals.ts";
import { untilFailed } from "./live-turn.ts";
import { RemoteTurn, type RemoteTurns } from "./remote-turn.ts";
import { RunningTurn } from "./running-turn.ts";
import type { TurnSurroundings } from "./turn-surroundings.ts";
import type { UnendedTurn, UnendedTurns } from "./unended-turns.ts";

interface CommandSurroundings extends Pick<TurnSurroundings, "store" | "audit"> {
  readonly permissions: Permissions;
  readonly unended: UnendedTurns;
  readonly remote: RemoteTurns;
}

/**
 * What callers ask of turns that run.
 *
 * 1. Who may not see a turn is told that there is none; who sees it and may not do something, why.
 * 2. A turn without an end on record has not ended: where it does not run here it runs elsewhere, and is asked there.
 */
export class TurnCommands {
  readonly #surroundings: CommandSurroundings;
  /** Messages that are being recorded, by principal and request. */
  readonly #steering = new KeyedQueue();

  constructor(surroundings: CommandSurroundings) {
    this.#surroundings = surroundings;
  }

  /** As `Turns.cancel`. */
  async cancel(turnId: string, caller: Caller): Promise<TurnRecord> {
    const { record, live } = await this.#findToOperate(turnId, caller);
    if (live instanceof RemoteTurn) await live.cancel(caller);
    else if (live !== undefined) {
      this.#note("turn_canceled", live, record, caller);
      await endOnRecord(live, live.end({ case: "cancel" }));
    }
    return this.getTurn(turnId, caller);
  }

  /** As `Turns.interrupt`. */
  async interrupt(turnId: string, caller: Caller): Promise<TurnRecord> {
    const { record, live } = await this.#findToOperate(turnId, caller);
    if (live instanceof RemoteTurn) await live.interrupt(caller);
    else if (live !== undefined) {
      this.#note("turn_interrupted", live, record, caller);
      await endOnRecord(live, live.interrupt());
    }
    return this.getTurn(turnId, caller);
  }

  /** As `Turns.steer`. */
  steer(request: SteerTurn, caller: Caller): Promise<{ sequence: number; turn: TurnRecord }> {
    if (request.requestId === "") return this.#steer(request, caller);
    // The same request at the same moment finds what the first became.
    const key = JSON.stringify([caller.name, request.requestId]);
    return this.#steering.run(key, () => this.#steer(request, caller));
  }

  /** As `Turns.resolveApproval`. */
  async resolveApproval(resolution: ApprovalResolution, caller: Caller): Promise<TurnRecord> {
    const { turnId, approvalId, answer } = resolution;
    const { store } = this.#surroundings;
    const { record, live } = await this.findToRead(turnId, caller);
    const refusal = await this.refusalToAnswer(record, caller);
    if (refusal !== undefined) throw refusal;
    if (hasAgent(live)) await live.resolveApproval(approvalId, answer, caller);
    else throw await refusalOfLateAnswer(store, record, approvalId);
    return this.getTurn(turnId, caller);
  }

  /** As `Turns.getTurn`. */
  getTurn(turnId: string, caller: Caller): Promise<TurnRecord> {
    return this.#surroundings.store.getTurn(turnId, this.#viewOf(caller));
  }

  /** Why somebody who sees a turn may not answer what it asks for. Undefined: they may. */
  async refusalToAnswer(turn: TurnRecord, caller: Caller): Promise<Refusal | undefined> {
    const { permissions, unended } = this.#surroundings;
    const live = unended.get(turn.turnId);
    // Where it runs elsewhere, that server looks too.
    const isSteeredByCaller = live instanceof RunningTurn && live.isSteeredBy(caller);
    const standing = await this.#standingIn(turn, caller);
    return permissions.refusalToAnswer(caller, standing, { ...turn, isSteeredByCaller });
  }

  /** A turn to be read, as `#find`. */
  findToRead(turnId: string, caller: Caller) {
    return this.#find(turnId, this.#viewOf(caller)); // 1.
  }

  /** A turn that is to be acted on, as `#find`. */
  async #findToOperate(turnId: string, caller: Caller) {
    const found = await this.findToRead(turnId, caller);
    const standing = await this.#standingIn(found.record, caller);
    const refusal = this.#surroundings.permissions.refusalToOperate(caller, standing);
    if (refusal !== undefined) throw refusal; // 1.
    return found;
  }

  /** What a caller is to a turn's session. */
  async #standingIn(turn: TurnRecord, caller: Caller): Promise<Standing> {
    const { store, permissions } = this.#surroundings;
    const { sessionPrincipal: principal, sessionKey } = turn;
    const shares = principal === caller.name ? [] : await store.listShares(sessionKey);
    return permissions.standingOf(caller, { principal, shares });
  }

  /** What stops a turn is on the audit chain with what comes of it; what finds it ending changes nothing. */
  #note(
    kind: "turn_canceled" | "turn_interrupted",
    live: UnendedTurn,
    record: TurnRecord,
    caller: Caller,
  ): void {
    if (!(live instanceof RunningTurn)) return;
    live.note(this.#surroundings.audit.stopped(kind, record, caller));
  }

  async #steer({ turnId, message, requestId }: SteerTurn, caller: Caller) {
    const { live } = await this.#findToOperate(turnId, caller);
    const request = { principal: caller.name, requestId, message };
    const { store } = this.#surroundings;
    const known = requestId === "" ? undefined : await store.findSteer(turnId, request);
    if (known === undefined && !hasAgent(live)) throw turnEnded();
    const sequence = known ?? (await (live as AskedTurn).steer(request, caller));
    return { sequence, turn: await this.getTurn(turnId, caller) };
  }

  /** A turn on record, and as it runs, here or elsewhere; never one that is neither running nor ended. */
  async #find(turnId: string, view: TurnView) {
    const { store, unended, remote } = this.#surroundings;
    const record = await store.getTurn(turnId, view);
    const live = unended.get(turnId);
    if (live !== undefined || !isLive(record.state)) return { record, live };
    // It ended, or began, while the store was asked.
    const now = await store.getTurn(turnId, view);
    return { record: now, live: unended.get(turnId) ?? remote.of(now) }; // 2.
  }

  #viewOf(caller: Caller): TurnView {
    return this.#surroundings.permissions.viewOf(caller);
  }
}

/** A turn that an agent does, here or elsewhere. */
type AskedTurn = RunningTurn | RemoteTurn;

function hasAgent(turn: UnendedTurn | RemoteTurn | undefined): turn is AskedTurn {
  return turn instanceof RunningTurn || turn instanceof RemoteTurn;
}

/**
 * Resolves with a turn's end.
 *
 * @throws Refusal STORAGE where that cannot be recorded yet; what `ending` does.
 */
async function endOnRecord(turn: UnendedTurn, ending: Promise<void>): Promise<void> {
  const { log } = turn;
  await Promise.race([ending, untilFailed(turn)]);
  if (isLive(log.state) && log.failure !== undefined) throw log.failure;
}
