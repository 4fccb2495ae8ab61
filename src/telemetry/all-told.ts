import type { Happenings, TurnHappenings } from "../happenings.ts";

/** Tells each of them, in their order. The trace that an agent goes on with is the last one's. */
export function allTold(listeners: readonly Happenings[]): Happenings {
  return {
    turnAccepted: (...accepted) =>
      allOfTurn(listeners.map((listener) => listener.turnAccepted(...accepted))),
    leftTurnEnded(turn, end) {
      for (const listener of listeners) listener.leftTurnEnded(turn, end);
    },
    requestRefused(reason) {
      for (const listener of listeners) listener.requestRefused(reason);
    },
  };
}

function allOfTurn(listeners: readonly TurnHappenings[]): TurnHappenings {
  return {
    trace: listeners.at(-1)?.trace,
    started() {
      for (const listener of listeners) listener.started();
    },
    wrote() {
      for (const listener of listeners) listener.wrote();
    },
    appended(kinds) {
      for (const listener of listeners) listener.appended(kinds);
    },
    approval(kind) {
      for (const listener of listeners) listener.approval(kind);
    },
    ended(end) {
      for (const listener of listeners) listener.ended(end);
    },
    over() {
      for (const listener of listeners) listener.over();
    },
  };
}
