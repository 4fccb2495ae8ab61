import { streamTurn, type Turn } from "@breakglass/client";
import type { Account } from "../server/account.svelte.ts";
import { Connection } from "../server/connection.svelte.ts";
import { TurnLog } from "./turn-log.svelte.ts";

/** One turn that is read as it happens, from its first event on, over connections that break. */
export class TurnReading {
  readonly turnId: string;
  /** Undefined: it has not been told yet. */
  turn = $state.raw<Turn>();
  readonly log = new TurnLog();
  readonly connection = new Connection();
  /** Why it is not read, or no further. */
  failure = $state.raw<unknown>();
  readonly #account: Account;

  constructor(account: Account, turnId: string) {
    this.#account = account;
    this.turnId = turnId;
  }

  /** Reads to the turn's end, or until the signal aborts: the turn goes on then. */
  async read(signal: AbortSignal): Promise<void> {
    const { client } = this.#account;
    const { turnId } = this;
    try {
      this.turn = (await client.getTurn({ turnId }, { signal })).turn;
      const attach = { turnId, textDeltas: true };
      const options = { signal, onConnection: this.connection.heed };
      for await (const event of streamTurn(client, { attach }, options)) this.log.take(event);
      this.turn = (await client.getTurn({ turnId }, { signal })).turn;
    } catch (error) {
      if (!signal.aborted && !this.#account.heedRefusal(error)) this.failure = error;
    }
  }
}
