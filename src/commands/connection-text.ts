import type { ConnectionChange } from "#client";
import { refusalLines } from "#client";
import { oneLine, type Printable, print, terminalText } from "./terminal-text.ts";

/** A server may say more in an error than anybody reads. */
const FAILURE_CHARACTERS = 1000;

/** What became of the connection, for the person at the terminal. */
export function connectionText(change: ConnectionChange): Printable {
  if (change.state === "back") return print`Connected again.`;
  const { error, retryInMs, failures, wasConnected } = change;
  const what = wasConnected && failures === 1 ? print`Connection lost` : print`No connection`;
  const seconds = terminalText((retryInMs / 1000).toFixed(1));
  return print`${what} (${failureText(error)}); trying again in ${seconds} s.`;
}

/** Why a call failed, on one line. */
export function failureText(error: unknown): Printable {
  return oneLine(refusalLines(error)?.[0] ?? String(error), FAILURE_CHARACTERS);
}
