import type { ConnectionChange } from "@breakglass/client";
import { ConnectError } from "@connectrpc/connect";

/** What became of a connection, as it goes from one window to another. */
export type SentChange =
  | { readonly state: "back" }
  | {
      readonly state: "lost";
      readonly code: number;
      readonly message: string;
      readonly retryInMs: number;
      readonly failures: number;
      readonly wasConnected: boolean;
    };

/** What the windows that share a watch say to each other. */
export type WatchMessage =
  /** A window leads from now on, and knows all up to a cursor. */
  | { readonly kind: "leading"; readonly cursor: bigint }
  /** A window knows all up to a cursor, 0 for nothing, and wants to be told the rest. */
  | { readonly kind: "hello"; readonly from: string; readonly cursor: bigint }
  /** The rest, for that window. */
  | {
      readonly kind: "state";
      readonly to: string;
      readonly messages: readonly Uint8Array[];
      readonly cursor: bigint;
      readonly isCaughtUp: boolean;
      readonly connection: SentChange;
    }
  /** What the server told the one that leads. */
  | { readonly kind: "news"; readonly message: Uint8Array }
  | { readonly kind: "connection"; readonly change: SentChange };

export function sent(change: ConnectionChange): SentChange {
  if (change.state === "back") return change;
  const { retryInMs, failures, wasConnected } = change;
  const { code, rawMessage: message } = ConnectError.from(change.error);
  return { state: "lost", code, message, retryInMs, failures, wasConnected };
}

export function received(change: SentChange): ConnectionChange {
  if (change.state === "back") return change;
  const { code, message, retryInMs, failures, wasConnected } = change;
  const error = new ConnectError(message, code);
  return { state: "lost", error, retryInMs, failures, wasConnected };
}
