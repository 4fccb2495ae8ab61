import {
  isLive,
  type PendingApproval,
  type Turn,
  type TurnEvent,
  type WatchTurnsResponse,
} from "@breakglass/client";
import { Code, ConnectError } from "@connectrpc/connect";
import { SvelteMap } from "svelte/reactivity";
import type { Account } from "../server/account.svelte.ts";
import { Connection } from "../server/connection.svelte.ts";
import { watchDesk } from "../server/desk-watch.ts";
import { durationMsOf } from "../ui/times.ts";
import type { QueuedApproval } from "./approval-queue.ts";
import { followUnshared } from "./unshared.ts";

/** Of the turns that ended while the page is open so many are kept; of the approvals that were decided too. */
const KEPT_ENDED = 1000;

/** Hears what the watch tells that is new, and not what there was when it began. */
export type NewsListener = (news: WatchTurnsResponse["change"]) => void;

/**
 * All turns that one may see and that have not ended, what waits for an approval in them, and what ended since the page was opened: live, by
 * one stream of WatchTurns.
 */
export class Desk {
  readonly turns = new SvelteMap<string, Turn>();
  /** What waits, and what was decided while the page is open, by the ids of the approvals. */
  readonly queue = new SvelteMap<string, QueuedApproval>();
  /** What waits. */
  readonly approvals = $derived(
    [...this.queue.values()].filter(({ resolution }) => resolution === undefined),
  );
  readonly connection = new Connection();
  /** What there was when the stream began is here. */
  isCaughtUp = $state(false);
  /** How often all that was known had to be forgotten, because the server could not tell what followed it. */
  forgotten = $state(0);
  /** Why nothing is watched any more. */
  failure = $state.raw<unknown>();
  /** How many tool calls wait for an answer that one may give. */
  readonly waitingForMe = $derived(
    this.approvals.filter(({ approval }) => approval.mayResolve).length,
  );
  readonly #account: Account;
  readonly #listeners = new Set<NewsListener>();

  constructor(account: Account) {
    this.#account = account;
  }

  /** Tells of each change from now on, until what it answers is called. */
  listen(listener: NewsListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Watches until the signal aborts. */
  async watch(signal: AbortSignal): Promise<void> {
    this.failure = undefined;
    followUnshared(this.#account, this.turns, signal, (gone) =>
      this.drop(({ turnId }) => turnId === gone),
    );
    try {
      for (;;) {
        await this.#watchFrom0(signal);
        this.#forget();
      }
    } catch (error) {
      if (!signal.aborted && !this.#account.heedRefusal(error)) this.failure = error;
    }
  }

  /** Returns where the server has forgotten what follows the cursor. */
  async #watchFrom0(signal: AbortSignal): Promise<void> {
    const options = { signal, onConnection: this.connection.heed };
    try {
      for await (const news of watchDesk(this.#account, options)) this.take(news);
    } catch (error) {
      if (ConnectError.from(error).code !== Code.OutOfRange) throw error;
    }
  }

  /** Takes what the stream tells. */
  take({ change, caughtUp }: WatchTurnsResponse): void {
    if (this.isCaughtUp) for (const listener of this.#listeners) listener(change);
    if (caughtUp) this.isCaughtUp = true;
    switch (change.case) {
      case "turnStarted":
      case "turnChanged":
        this.turns.set(change.value.turnId, change.value);
        break;
      case "turnEnded":
        this.#end(change.value);
        break;
      case "approvalRequested":
        this.#queue(change.value);
        break;
      case "approvalResolved":
        this.#resolve(change.value);
        break;
    }
  }

  /** The turn, or its session, is not there any more, or not for the caller: it is shown no more. */
  drop(isGone: (turn: Turn) => boolean): void {
    for (const [id, turn] of this.turns) if (isGone(turn)) this.turns.delete(id);
    for (const [id, { approval }] of this.queue) {
      if (!this.turns.has(approval.event?.turnId ?? "")) this.queue.delete(id);
    }
  }

  #end(turn: Turn): void {
    this.turns.delete(turn.turnId);
    this.turns.set(turn.turnId, turn);
    for (const [id, { approval, resolution }] of this.queue) {
      if (approval.event?.turnId === turn.turnId && resolution === undefined) this.queue.delete(id);
    }
    const ended = [...this.turns.values()].filter(({ state }) => !isLive(state));
    for (const { turnId } of ended.slice(0, -KEPT_ENDED)) this.turns.delete(turnId);
  }

  #queue(approval: PendingApproval): void {
    const { kind } = approval.event!;
    if (kind.case !== "approvalRequest") return;
    const id = kind.value.approvalId;
    if (this.queue.get(id)?.resolution !== undefined) return;
    const deadlineMs = Date.now() + durationMsOf(approval.remaining);
    this.queue.set(id, { id, approval, deadlineMs });
  }

  #resolve({ kind }: TurnEvent): void {
    if (kind.case !== "approvalResolution") return;
    const queued = this.queue.get(kind.value.approvalId);
    if (queued === undefined) return;
    this.queue.set(queued.id, { ...queued, resolution: kind.value, resolvedMs: Date.now() });
    const resolved = [...this.queue.values()].filter(({ resolution }) => resolution !== undefined);
    for (const { id } of resolved.slice(0, -KEPT_ENDED)) this.queue.delete(id);
  }

  #forget(): void {
    this.turns.clear();
    this.queue.clear();
    this.isCaughtUp = false;
    this.forgotten += 1;
  }
}
