import { endStateOf, isLive, isRefusal, type Turn, TurnState } from "@breakglass/client";
import { SvelteSet } from "svelte/reactivity";
import type { Account } from "../server/account.svelte.ts";
import { Connection } from "../server/connection.svelte.ts";
import { streamShownTurn } from "../server/shown-turn.ts";
import { frames } from "./frames.ts";
import { TurnLog } from "./turn-log.svelte.ts";

/** While the log so far comes, rows are for nobody: they are shown after so long, and then ever more seldom. */
const FIRST_SHOWN_MS = 100;
const LONGEST_SHOWN_MS = 1000;
/** How long the page may be kept from all else by what has come already. */
const BREATH_MS = 12;

/**
 * One turn that is read as it happens, from its first event on, over connections that break.
 *
 * 1. It is read on from what the log has, whatever ended the reading.
 * 2. The turn itself is asked for where the stream shows that the server is there, and once more when it has ended.
 */
export class TurnReading {
  readonly turnId: string;
  /** Undefined: it has not been told yet. */
  turn = $state.raw<Turn>();
  /** What had been recorded when the reading began is in the log. */
  isCaughtUp = $state(false);
  /** All of the turn is in the log. */
  isWhole = $state(false);
  readonly connection = new Connection();
  /** Why it is not read, or no further. */
  failure = $state.raw<unknown>();
  readonly log = new TurnLog((apply) => {
    if (this.isCaughtUp) frames.next(apply);
    else setTimeout(apply, this.#shownMs);
    this.#shownMs = Math.min(LONGEST_SHOWN_MS, this.#shownMs * 2);
  });
  #shownMs = FIRST_SHOWN_MS;
  /** Where the turn stands, as its events say. Undefined: it has not been told yet. */
  readonly state: TurnState | undefined = $derived.by(() => this.#state());
  /** As a checkpoint said last. */
  #told = $state<TurnState>();
  readonly #resolvable = new SvelteSet<string>();
  readonly #account: Account;

  readonly #isOneOfMany: boolean;

  /** @param listed - The turn, one of many that are shown, as a list has it. */
  constructor(account: Account, turnId: string, listed?: Turn) {
    this.#account = account;
    this.turnId = turnId;
    this.turn = listed;
    this.#isOneOfMany = listed !== undefined && !isLive(listed.state);
  }

  /** Whether the caller may answer an approval. */
  mayResolve(approvalId: string): boolean {
    return this.#resolvable.has(approvalId);
  }

  /** Asks which approvals that wait the caller may answer. To be called where one came to wait. */
  async learnApprovals(signal: AbortSignal): Promise<void> {
    try {
      const { approvals } = await this.#account.client.listApprovals(
        { pageSize: 1000 },
        { signal },
      );
      for (const { event, mayResolve } of approvals) {
        if (!mayResolve || event?.kind.case !== "approvalRequest") continue;
        this.#resolvable.add(event.kind.value.approvalId);
      }
    } catch {
      // The server is away: the stream says so. It is asked again when more waits.
    }
  }

  /** Reads to the turn's end, or until the signal aborts: the turn goes on then. May be called again after a failure. */
  async read(signal: AbortSignal): Promise<void> {
    this.failure = undefined;
    this.log.apply();
    try {
      const isAsked = !this.#isOneOfMany;
      await Promise.all([isAsked && this.#learn(signal), this.#follow(signal)]);
      await this.#learn(signal); // 2.
    } catch (error) {
      if (signal.aborted || this.#account.heedRefusal(error)) return;
      this.failure = error;
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const attach = { turnId: this.turnId, afterSequence: this.log.lastSequence, textDeltas: true };
    const isOneOfMany = this.#isOneOfMany;
    const options = { signal, isOneOfMany, onConnection: this.connection.heed };
    let breath = performance.now();
    for await (const event of streamShownTurn(this.#account.client, { attach }, options)) {
      const { kind } = event;
      if (kind.case === "checkpoint") {
        this.#told = kind.value.state;
        if (this.turn === undefined) void this.#learn(signal).catch(() => {}); // 2.
        if (kind.value.caughtUp) this.#catchUp();
      } else this.log.take(event);
      if (performance.now() - breath < BREATH_MS) continue;
      await frames.breathe();
      breath = performance.now();
    }
    this.#catchUp();
    this.isWhole = true;
  }

  #catchUp(): void {
    this.isCaughtUp = true;
    this.log.apply();
  }

  /** A server that does not answer is waited for by the stream. @throws what it refuses. */
  async #learn(signal: AbortSignal): Promise<void> {
    try {
      this.turn = (await this.#account.client.getTurn({ turnId: this.turnId }, { signal })).turn;
    } catch (error) {
      if (isRefusal(error)) throw error;
    }
  }

  #state(): TurnState | undefined {
    const { end, waiting, lastSequence } = this.log;
    if (end !== undefined) return endStateOf(end.kind);
    const told = this.#told ?? this.turn?.state;
    if (waiting > 0) return TurnState.AWAITING_APPROVAL;
    if (!this.isCaughtUp) return told;
    const isMoved =
      told === TurnState.AWAITING_APPROVAL || (told === TurnState.QUEUED && lastSequence > 0);
    return isMoved ? TurnState.RUNNING : told;
  }
}
