import {
  type BreakglassClient,
  type ConnectionChange,
  endsTurn,
  errorInfoOf,
  isAnswer,
  isRefusal,
  streamTurn,
  type TurnToRead,
} from "@breakglass/client";

type Run = Extract<TurnToRead, { run: unknown }>["run"];

/** Where the sending of a prompt stands. */
export type SendingState =
  /** It can be sent. `refusal`: why it was not taken last; nothing came of it. */
  | { readonly at: "ready"; readonly refusal?: unknown }
  /** `failure`: why it was not taken yet; it is tried again at `retryTime`. */
  | { readonly at: "sending"; readonly failure?: unknown; readonly retryTime?: Date | undefined }
  /** Another turn has to end first. */
  | { readonly at: "waiting"; readonly turnId: string }
  /** Whether it became a turn is not known. */
  | { readonly at: "unconfirmed"; readonly error: unknown };

/** For so long a prompt that does not arrive is tried again, by the clock on the wall: timers stand still while a machine sleeps. */
export const RECENT_MS = 2 * 60_000;
/** Shorter than a wait for the next try: what looks whether that is too late comes before it. */
const LOOK_MS = 100;

/** Reasons of refusals that do not say that nothing was started. */
const DOUBTFUL: readonly string[] = ["FENCED", "STREAM_ENDED", "DATA_LOSS"];
/** Reasons that are only given where the server has no turn of the same `request_id`. */
const CONCLUSIVE: readonly string[] = [
  "TURN_IN_PROGRESS",
  "TOO_MANY_TURNS",
  "SPENDING_LIMIT",
  "QUOTA_EXCEEDED",
  "SESSION_FULL",
  "REQUEST_ID_REUSED",
];

/**
 * Sends a prompt, over connections that break, until it is known to be a turn or not to be one.
 *
 * 1. One is on its way at a time.
 * 2. It is not sent any more once it is old: on a machine that slept it would be sent when nobody means it any more.
 * 3. It is said to be refused only where nothing came of it, nor of what was sent before without an answer: that has the same `request_id`.
 */
export class PromptSending {
  state = $state.raw<SendingState>({ at: "ready" });
  readonly #client: BreakglassClient;
  readonly #stay: () => AbortSignal | undefined;
  #stopping = new AbortController();

  /** @param stay - Aborts when the caller is another one: it is not sent in their name. */
  constructor(client: BreakglassClient, stay: () => AbortSignal | undefined = () => undefined) {
    this.#client = client;
    this.#stay = stay;
  }

  get isStill(): boolean {
    return this.state.at === "sending" || this.state.at === "waiting";
  }

  /**
   * Sends it. Answers with the turn's id once it is on record; undefined: `state` says why not.
   *
   * @param run - Has a `request_id`, of this content alone.
   */
  async send(run: Run): Promise<string | undefined> {
    if (this.isStill) return undefined; // 1.
    const { signal } = this.#begin({ at: "sending" });
    let failure: unknown;
    let mayHaveArrived = false;
    const onConnection = (change: ConnectionChange) => {
      if (signal.aborted || change.state === "back") return;
      failure = change.error;
      mayHaveArrived ||= !isNothingStarted(failure);
      const retryTime = new Date(Date.now() + change.retryInMs);
      this.state = { at: "sending", failure, retryTime };
    };
    const startMs = Date.now();
    const look = setInterval(() => {
      const isOld = Math.abs(Date.now() - startMs) > RECENT_MS;
      if (failure !== undefined && isOld && !signal.aborted) this.stop(); // 2.
    }, LOOK_MS);
    try {
      for await (const { turnId } of streamTurn(this.#client, { run }, { signal, onConnection })) {
        this.state = { at: "ready" };
        return turnId;
      }
      throw new Error("the turn's stream said nothing");
    } catch (error) {
      const last = signal.aborted ? failure : error;
      // Stopped while a try was under way: it may have arrived.
      const isUnderWay = signal.aborted && !this.#isWaitingToRetry();
      const isRefused = mayHaveArrived ? isConclusive(last) : isNothingStarted(last);
      this.state =
        isRefused && !isUnderWay // 3.
          ? { at: "ready", refusal: last }
          : { at: "unconfirmed", error: last };
      return undefined;
    } finally {
      clearInterval(look);
    }
  }

  /** Waits until a turn has ended. Answers whether it has: undefined: `state` says why not, or nobody waits any more. */
  async waitFor(turnId: string): Promise<boolean> {
    if (this.isStill) return false;
    const { signal } = this.#begin({ at: "waiting", turnId });
    try {
      const { turn } = await this.#client.getTurn({ turnId }, { signal });
      const attach = { turnId, afterSequence: turn?.lastSequence ?? 0 };
      for await (const event of streamTurn(this.#client, { attach }, { signal })) {
        if (endsTurn(event)) break;
      }
      this.state = { at: "ready" };
      return true;
    } catch (error) {
      this.state = signal.aborted ? { at: "ready" } : { at: "ready", refusal: error };
      return false;
    }
  }

  /** Tries, or waits, no more. */
  stop(): void {
    this.#stopping.abort();
  }

  /** What was refused, or not confirmed, is no matter any more. */
  settle(): void {
    if (!this.isStill) this.state = { at: "ready" };
  }

  #begin(state: SendingState): { signal: AbortSignal } {
    this.#stopping = new AbortController();
    this.state = state;
    const stay = this.#stay();
    const { signal } = this.#stopping;
    return { signal: stay === undefined ? signal : AbortSignal.any([signal, stay]) };
  }

  #isWaitingToRetry(): boolean {
    const { state } = this;
    return state.at === "sending" && (state.retryTime?.getTime() ?? 0) > Date.now();
  }
}

/** Whether a failure says that no turn was started by what was sent. */
function isNothingStarted(error: unknown): boolean {
  const info = errorInfoOf(error);
  if (info !== undefined) return isAnswer(error) && !DOUBTFUL.includes(info.reason);
  return isRefusal(error);
}

/** Whether it says so too of what was sent before it. */
function isConclusive(error: unknown): boolean {
  return CONCLUSIVE.includes(errorInfoOf(error)?.reason ?? "");
}
