import {
  type BreakglassClient,
  errorInfoOf,
  isLive,
  isRefusal,
  streamTurn,
  type Turn,
  TurnState,
} from "@breakglass/client";

export type Act = "interrupt" | "cancel";

/** Where the stopping of a turn stands. */
export type StoppingState =
  | { readonly at: "running" }
  | { readonly at: "sending"; readonly act: Act }
  /** The agent was asked to stop, and went on. */
  | { readonly at: "not-obeyed" }
  | { readonly at: "refused"; readonly error: unknown }
  /** Whether it arrived is not known; the server is being asked. */
  | { readonly at: "asking" }
  | { readonly at: "unconfirmed"; readonly error: unknown }
  /** It was not confirmed, and the turn ran on when the server was asked. */
  | { readonly at: "runs-on" }
  /** `byAct`: by what was asked for, and not by itself before. */
  | { readonly at: "ended"; readonly byAct: boolean };

/** Reasons of refusals that do not say that nothing came of it. */
const DOUBTFUL: readonly string[] = ["STORAGE", "FENCED", "STREAM_ENDED"];

/**
 * Stops a turn, by having its agent stop or by ending it, and tells what came of it.
 *
 * 1. What is asked for last counts: what comes of the act before it changes nothing but that the turn has ended.
 */
export class TurnStopping {
  state = $state.raw<StoppingState>({ at: "running" });
  /** The agent was asked to stop at least once: to end the turn is the next step then. */
  wasInterrupted = $state(false);
  readonly #client: BreakglassClient;
  readonly #turn: () => Turn;
  #latest = 0;
  #asking = new AbortController();

  /** @param turn - As it is known now. */
  constructor(client: BreakglassClient, turn: () => Turn) {
    this.#client = client;
    this.#turn = turn;
  }

  /** An interrupt can be followed by a cancel at once; everything else is waited for. */
  can(act: Act): boolean {
    const { state } = this;
    if (state.at === "sending") return act === "cancel" && state.act === "interrupt";
    return state.at !== "asking" && state.at !== "ended";
  }

  async act(act: Act): Promise<void> {
    if (!this.can(act)) return;
    const mine = ++this.#latest;
    this.state = { at: "sending", act };
    this.wasInterrupted ||= act === "interrupt";
    const { turnId } = this.#turn();
    try {
      const answer =
        act === "interrupt"
          ? await this.#client.interruptTurn({ turnId })
          : await this.#client.cancelTurn({ turnId });
      this.state = { at: "ended", byAct: answer.turn?.state === TurnState.CANCELED };
    } catch (error) {
      if (mine !== this.#latest || this.state.at === "ended") return; // 1.
      const reason = errorInfoOf(error)?.reason;
      if (reason === "INTERRUPT_NOT_OBEYED") this.state = { at: "not-obeyed" };
      else if (reason === undefined ? isRefusal(error) : !DOUBTFUL.includes(reason)) {
        this.state = { at: "refused", error };
      } else await this.ask();
    }
  }

  /** Asks the server whether the turn still runs. */
  async ask(): Promise<void> {
    const mine = ++this.#latest;
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    this.state = { at: "asking" };
    try {
      const found = await this.#find(signal);
      if (mine !== this.#latest) return;
      const byAct = found === TurnState.CANCELED;
      this.state = isLive(found) ? { at: "runs-on" } : { at: "ended", byAct };
    } catch (error) {
      if (!signal.aborted && mine === this.#latest) this.state = { at: "unconfirmed", error };
    }
  }

  leave(): void {
    this.#asking.abort();
  }

  /** Where the turn stands, over connections that break. */
  async #find(signal: AbortSignal): Promise<TurnState> {
    const { turnId, lastSequence } = this.#turn();
    const attach = { turnId, afterSequence: lastSequence };
    for await (const { kind } of streamTurn(this.#client, { attach }, { signal })) {
      if (kind.case === "checkpoint") return kind.value.state;
    }
    return TurnState.UNSPECIFIED;
  }
}
