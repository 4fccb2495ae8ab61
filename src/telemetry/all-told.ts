import { type Happenings, NOBODY_TOLD, type TurnHappenings } from "../happenings.ts";
import type { Log } from "../log.ts";

/**
 * Tells each of them, in their order. The trace that an agent goes on with is the last one's.
 *
 * 1. One that fails keeps neither the others from being told nor what happens from going on. The log has the first failure
 *    whole: one that comes with every event would fill it.
 */
export function allTold(listeners: readonly Happenings[], log: Log): Happenings {
  const guard = new Guard(log);
  return {
    turnAccepted(turn, agentKind, trace) {
      const nobody = NOBODY_TOLD.turnAccepted(turn, agentKind, trace);
      return allOfTurn(
        listeners.map((one) => guard.ask(() => one.turnAccepted(turn, agentKind, trace), nobody)),
        guard,
      );
    },
    leftTurnEnded: (turn, end) => guard.tell(listeners, (one) => one.leftTurnEnded(turn, end)),
    requestRefused: (reason) => guard.tell(listeners, (one) => one.requestRefused(reason)),
  };
}

function allOfTurn(listeners: readonly TurnHappenings[], guard: Guard): TurnHappenings {
  return {
    trace: listeners.at(-1)?.trace,
    started: () => guard.tell(listeners, (one) => one.started()),
    wrote: () => guard.tell(listeners, (one) => one.wrote()),
    appended: (kinds) => guard.tell(listeners, (one) => one.appended(kinds)),
    approval: (kind) => guard.tell(listeners, (one) => one.approval(kind)),
    ended: (end) => guard.tell(listeners, (one) => one.ended(end)),
    over: () => guard.tell(listeners, (one) => one.over()),
  };
}

/** Holds to 1. */
class Guard {
  readonly #log: Log;
  #hasFailed = false;

  constructor(log: Log) {
    this.#log = log;
  }

  tell<L>(listeners: readonly L[], told: (listener: L) => void): void {
    for (const listener of listeners) this.ask(() => told(listener), undefined);
  }

  ask<T>(asked: () => T, instead: T): T {
    try {
      return asked();
    } catch (error) {
      if (!this.#hasFailed) {
        this.#log.error("what happened could not be told, by a defect", { error });
      }
      this.#hasFailed = true;
      return instead;
    }
  }
}
