import { refusalLines } from "../client/refusal-text.ts";
import type { ConnectionChange } from "../client/resuming-stream.ts";
import { terminalText } from "./terminal-text.ts";

/** What became of the connection, for the person at the terminal. */
export function connectionText(change: ConnectionChange): string {
  if (change.state === "back") return "Connected again.";
  const { error, retryInMs, failures, wasConnected } = change;
  const what = wasConnected && failures === 1 ? "Connection lost" : "No connection";
  return `${what} (${failureText(error)}); trying again in ${(retryInMs / 1000).toFixed(1)} s.`;
}

/** Why a call failed, on one line. */
export function failureText(error: unknown): string {
  return terminalText(refusalLines(error)?.[0] ?? String(error));
}
