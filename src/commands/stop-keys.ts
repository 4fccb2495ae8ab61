import type { BreakglassClient } from "#client";
import { failureText } from "./connection-text.ts";
import type { Interrupts } from "./interrupts.ts";
import type { Terminal } from "./terminal.ts";
import { type Printable, print } from "./terminal-text.ts";

/**
 * Makes Ctrl-C stop a turn while it is followed, each press more firmly than the one before: the first interrupts it, the
 * second cancels it, the third only stops following. Before the server has told the turn's id each stops following.
 *
 * @param turnId - The turn's id; empty while it is not known.
 * @param over - Aborts when the turn is followed no longer: nothing is said after that.
 * @returns a signal that asks to stop following.
 */
export function stopOnInterrupts(
  client: BreakglassClient,
  turnId: () => string,
  interrupts: Interrupts,
  terminal: Terminal,
  over: AbortSignal,
): AbortSignal {
  const leave = new AbortController();
  const attempt = async (
    begin: Printable,
    stop: (turnId: string) => Promise<unknown>,
    next: Printable,
  ) => {
    terminal.tell(print`${begin} Ctrl-C again ${next}.`);
    try {
      await stop(turnId());
    } catch (error) {
      if (!over.aborted)
        terminal.tell(print`It did not help (${failureText(error)}). Ctrl-C ${next}.`);
    }
  };
  const press =
    (begin: Printable, stop: (turnId: string) => Promise<unknown>, next: Printable) => () => {
      if (over.aborted) return;
      if (turnId() === "") leave.abort();
      else void attempt(begin, stop, next);
    };
  const options = { signal: over };
  interrupts.first.addEventListener(
    "abort",
    press(
      print`Interrupting the turn…`,
      (turnId) => client.interruptTurn({ turnId }, options),
      print`cancels it, which ends the session's process`,
    ),
  );
  interrupts.second.addEventListener(
    "abort",
    press(
      print`Canceling the turn…`,
      (turnId) => client.cancelTurn({ turnId }, options),
      print`leaves, and the server goes on with the cancel`,
    ),
  );
  interrupts.third.addEventListener("abort", () => leave.abort());
  return leave.signal;
}
