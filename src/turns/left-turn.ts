import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { storageFailed } from "../errors.ts";
import type { Log } from "../log.ts";
import type { LeftTurn as LeftTurnRecord, Store } from "../store/store.ts";
import { encodeEvents } from "./encoded-event.ts";
import { type Listener, Listeners, type LiveTurn, type StopListening } from "./live-turn.ts";
import { retryStorage } from "./retry-storage.ts";
import { endRecordOf, errorEvent } from "./turn-end.ts";

/** A turn that was running when a server before this one ended: it only waits for its terminal event to be recorded. */
export class LeftTurn implements LiveTurn {
  readonly turnId: string;
  readonly sessionId: string;
  readonly sessionKey: string;
  readonly textDeltas = undefined;
  /** Resolves when the terminal event is on disk. Never rejects. */
  readonly ended: Promise<void>;
  /** Resolves when the store has been asked once, whether it took the event or not. Never rejects. */
  readonly tried: Promise<void>;

  readonly #wasQueued: boolean;
  readonly #store: Store;
  readonly #log: Log;
  readonly #listeners = new Listeners();
  #state: TurnState = TurnState.RUNNING;
  #lastSequence: number;
  #failure: Error | undefined;

  /** Begins to record the end. */
  constructor(left: LeftTurnRecord, store: Store, log: Log) {
    const { turnId, sessionId, sessionKey, lastSequence, wasQueued } = left;
    this.#wasQueued = wasQueued;
    this.turnId = turnId;
    this.sessionId = sessionId;
    this.sessionKey = sessionKey;
    this.#lastSequence = lastSequence;
    this.#store = store;
    this.#log = log;
    const tried = Promise.withResolvers<void>();
    this.tried = tried.promise;
    this.ended = retryStorage(
      () => this.#append(),
      (error) => {
        this.#lose(error);
        tried.resolve();
      },
    );
    void this.ended.then(tried.resolve);
  }

  get state(): TurnState {
    return this.#state;
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  after(): undefined {
    return undefined;
  }

  listen(listener: Listener): StopListening {
    return this.#listeners.add(listener);
  }

  /** It is ending already, whatever the reason to stop it. Returns `ended`. */
  stop(): Promise<void> {
    return this.ended;
  }

  /** As `stop`. */
  interrupt(): Promise<void> {
    return this.ended;
  }

  async #append(): Promise<void> {
    const message = this.#wasQueued
      ? "the server ended while the turn waited; nothing of it was run, and the session can go on"
      : "the server ended while the turn ran; what it had done until then is done, and the session can go on";
    const kind = errorEvent({ reason: ErrorReason.SERVER_RESTARTED, message });
    const firstSequence = this.#lastSequence + 1;
    const time = Date.now();
    const events = encodeEvents(this, firstSequence, time, [kind]);
    const end = endRecordOf(kind);
    await this.#store.append({ turnId: this.turnId, firstSequence, events, time, end });
    this.#lastSequence = firstSequence;
    this.#state = end.state;
    this.#listeners.call();
  }

  #lose(error: Error): void {
    if (this.#failure !== undefined) return;
    const { turnId } = this;
    this.#log.error("the store does not take the end of a turn that was left", { turnId, error });
    this.#failure = storageFailed(error.message);
    this.#listeners.call();
  }
}
