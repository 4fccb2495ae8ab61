import type { PendingApproval, Turn, WatchTurnsResponse } from "@breakglass/client";
import { Code, ConnectError } from "@connectrpc/connect";
import { SvelteMap } from "svelte/reactivity";
import type { Account } from "../server/account.svelte.ts";
import { Connection } from "../server/connection.svelte.ts";
import { sharedWatch } from "../server/shared-watch.ts";

/**
 * All turns that one may see and that have not ended, what waits for an approval in them, and what ended since the page was opened: live, by
 * one stream of WatchTurns.
 */
export class Desk {
  readonly turns = new SvelteMap<string, Turn>();
  /** By the ids of the approvals. */
  readonly approvals = new SvelteMap<string, PendingApproval>();
  readonly connection = new Connection();
  /** What there was when the stream began is here. */
  isCaughtUp = $state(false);
  /** Why nothing is watched any more. */
  failure = $state.raw<unknown>();
  /** How many tool calls wait for an answer that one may give. */
  readonly waitingForMe = $derived(
    [...this.approvals.values()].filter(({ mayResolve }) => mayResolve).length,
  );
  readonly #account: Account;

  constructor(account: Account) {
    this.#account = account;
  }

  /** Watches until the signal aborts. */
  async watch(signal: AbortSignal): Promise<void> {
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
    const options = { signal, name: this.#account.watchName, onConnection: this.connection.heed };
    try {
      for await (const news of sharedWatch(this.#account.client, options)) this.take(news);
    } catch (error) {
      if (ConnectError.from(error).code !== Code.OutOfRange) throw error;
    }
  }

  /** Takes what the stream tells. */
  take({ change, caughtUp }: WatchTurnsResponse): void {
    if (caughtUp) this.isCaughtUp = true;
    switch (change.case) {
      case "turnStarted":
      case "turnChanged":
        this.turns.set(change.value.turnId, change.value);
        break;
      case "turnEnded":
        this.turns.set(change.value.turnId, change.value);
        for (const [id, { event }] of this.approvals) {
          if (event?.turnId === change.value.turnId) this.approvals.delete(id);
        }
        break;
      case "approvalRequested": {
        const { kind } = change.value.event!;
        if (kind.case === "approvalRequest")
          this.approvals.set(kind.value.approvalId, change.value);
        break;
      }
      case "approvalResolved":
        if (change.value.kind.case === "approvalResolution") {
          this.approvals.delete(change.value.kind.value.approvalId);
        }
        break;
    }
  }

  #forget(): void {
    this.turns.clear();
    this.approvals.clear();
    this.isCaughtUp = false;
  }
}
