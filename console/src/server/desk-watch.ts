import type { ConnectionChange, WatchTurnsResponse } from "@breakglass/client";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Account } from "./account.svelte.ts";
import { sharedWatch } from "./shared-watch.ts";
import { caughtUpAt } from "./watch-state.ts";

/**
 * What the desk shows, as `watchTurns` tells it: over one stream for all windows. Where the server is away it begins with what was kept.
 *
 * @throws OUT_OF_RANGE as `watchTurns` does: once the server is back, what was kept is to be forgotten, and the watch to begin anew.
 */
export async function* watchDesk(
  account: Account,
  options: {
    readonly signal: AbortSignal;
    readonly onConnection: (change: ConnectionChange) => void;
  },
): AsyncGenerator<WatchTurnsResponse, void, undefined> {
  const { copy } = account;
  const kept = account.away === undefined ? undefined : await copy?.readDesk();
  if (kept !== undefined) {
    yield* kept;
    yield caughtUpAt(0n);
  }
  const keep = (messages: readonly WatchTurnsResponse[]) => void copy?.keepDesk(messages);
  const shared = { ...options, name: account.watchName, keep };
  for await (const news of sharedWatch(account.client, shared)) {
    if (kept !== undefined) throw new ConnectError("the server is back", Code.OutOfRange);
    yield news;
  }
}
