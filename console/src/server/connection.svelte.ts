import type { ConnectionChange } from "@breakglass/client";

/** What is known of a stream's connection, for a person. */
export class Connection {
  /** Since when it is lost. Undefined: it is there, or was never asked for. */
  lostSince = $state<Date>();
  /** Why it was lost last. */
  error = $state<unknown>();
  /** When the next try begins. */
  retryTime = $state<Date>();

  /** To be given as `onConnection`. */
  readonly heed = (change: ConnectionChange): void => {
    if (change.state === "back") {
      this.lostSince = undefined;
      this.retryTime = undefined;
      this.error = undefined;
      return;
    }
    this.lostSince ??= new Date();
    this.retryTime = new Date(Date.now() + change.retryInMs);
    this.error = change.error;
  };
}
