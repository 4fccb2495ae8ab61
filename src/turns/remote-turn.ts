import { isLive } from "#client/turn-state";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { storageFailed } from "../errors.ts";
import type { Caller } from "../identity/caller.ts";
import type { Command } from "../store/commands.ts";
import type { TurnRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { ownView } from "../store/views.ts";
import type { SteerRequest } from "../store/writes.ts";
import type { ApprovalAnswer } from "../turn-requests.ts";
import {
  type Listener,
  Listeners,
  type LiveLog,
  type LiveTurn,
  type StopListening,
} from "./live-turn.ts";

/** The turns that run on other servers and have readers here. Holds nothing of the others. */
export class RemoteTurns {
  readonly #store: Store;
  readonly #followed = new Map<string, RemoteTurn>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** A turn that does not run here, as it was just read; undefined where it has ended. */
  of(record: TurnRecord): RemoteTurn | undefined {
    if (!isLive(record.state)) return undefined;
    const { turnId } = record;
    const followed = this.#followed.get(turnId);
    if (followed !== undefined && followed.log.failure === undefined) {
      followed.log.learn(record);
      return followed;
    }
    const turn: RemoteTurn = new RemoteTurn(record, this.#store, (isFollowed) => {
      if (isFollowed) this.#followed.set(turnId, turn);
      else if (this.#followed.get(turnId) === turn) this.#followed.delete(turnId);
    });
    return turn;
  }
}

/** A turn that runs on another server: the store tells how it goes, and brings it what is asked of it. */
export class RemoteTurn implements LiveTurn {
  readonly turnId: string;
  readonly log: RemoteLog;
  /** It is on no record: only the server that runs the turn has it. */
  readonly textDeltas = undefined;
  readonly #store: Store;

  /** @param followed - Told when its readers begin to follow it, and when none does any more. */
  constructor(record: TurnRecord, store: Store, followed: (isFollowed: boolean) => void) {
    this.turnId = record.turnId;
    this.#store = store;
    this.log = new RemoteLog(record, store, followed);
  }

  /** Resolves when the turn has ended. Throws as `Commands.send`, as do the others. */
  async cancel(caller: Caller): Promise<void> {
    await this.#send(caller, { case: "cancel" });
  }

  /** Resolves when the turn has ended. */
  async interrupt(caller: Caller): Promise<void> {
    await this.#send(caller, { case: "interrupt" });
  }

  /** Resolves with the sequence of the event that records the message. */
  async steer({ message, requestId }: SteerRequest, caller: Caller): Promise<number> {
    const sequence = await this.#send(caller, { case: "steer", message, requestId });
    if (sequence === undefined) throw storageFailed("a message was taken and has no event");
    return sequence;
  }

  /** Resolves when the answer is on record. */
  async resolveApproval(id: string, answer: ApprovalAnswer, caller: Caller): Promise<void> {
    await this.#send(caller, { case: "resolveApproval", approvalId: id, answer });
  }

  #send(caller: Caller, ask: Command["ask"]): Promise<number | undefined> {
    return this.#store.commands.send({ turnId: this.turnId, caller, ask });
  }
}

/**
 * The log of a turn that runs on another server. While it is listened to it is read again at each news of the turn.
 *
 * 1. It has not ended before its end is on record.
 * 2. It never goes back, in whichever order what was read comes.
 */
class RemoteLog implements LiveLog {
  readonly #store: Store;
  readonly #followed: (isFollowed: boolean) => void;
  readonly #listeners = new Listeners();
  #record: TurnRecord;
  #failure: Error | undefined;
  #stopNews: (() => void) | undefined;
  #isReading = false;
  /** Something may have happened since what was read last. */
  #isOld = false;

  constructor(record: TurnRecord, store: Store, followed: (isFollowed: boolean) => void) {
    this.#record = record;
    this.#store = store;
    this.#followed = followed;
  }

  get state(): TurnState {
    return this.#record.state;
  }

  get lastSequence(): number {
    return this.#record.lastSequence;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  after(): undefined {}

  listen(listener: Listener): StopListening {
    const stop = this.#listeners.add(listener);
    if (this.#stopNews === undefined) {
      const { changes } = this.#store;
      this.#stopNews = changes.listenToTurn(this.#record.turnId, () => void this.#read());
      this.#followed(true);
      // What was recorded before it listened.
      void this.#read();
    }
    return () => {
      stop();
      if (!this.#listeners.isEmpty || this.#stopNews === undefined) return;
      this.#stopNews();
      this.#stopNews = undefined;
      this.#followed(false);
    };
  }

  /** Takes the turn as it was read, unless what is known is newer. */
  learn(record: TurnRecord): void {
    const { state, lastSequence } = this.#record;
    const isBefore = record.state === TurnState.QUEUED && state !== TurnState.QUEUED;
    if (isBefore || record.lastSequence < lastSequence) return; // 2.
    this.#record = record; // 1.
    this.#listeners.call();
  }

  async #read(): Promise<void> {
    this.#isOld = true;
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      while (this.#isOld && this.#stopNews !== undefined) {
        this.#isOld = false;
        const { turnId, sessionPrincipal } = this.#record;
        this.learn(await this.#store.getTurn(turnId, ownView(sessionPrincipal)));
      }
    } catch (error) {
      this.#failure = error as Error;
      this.#listeners.call();
    }
    this.#isReading = false;
  }
}
