import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { bytesOf } from "../support/events.ts";

/** What is wrong with a whole turn, read from its first event on: gaps, duplicates, not exactly one end. Empty: nothing. */
export function faultsOfTurn(turn: readonly TurnEvent[]): string[] {
  const faults = turn.flatMap(({ sequence }, index) =>
    sequence === index + 1 ? [] : [`event ${index + 1} has sequence ${sequence}`],
  );
  const ends = turn.filter(isEnd);
  if (ends.length !== 1) faults.push(`there are ${ends.length} terminal events`);
  if (turn.length > 0 && !isEnd(turn.at(-1)!)) faults.push("the last event is not terminal");
  return faults.slice(0, 5);
}

/**
 * What is wrong with a part of a turn that a client received, held against the whole turn as it is replayed: events that
 * are lost, came twice or out of order, or are not the same to the byte. Empty: nothing.
 *
 * @param after - The sequence that the client asked to be told of what follows.
 */
export function faultsOfPart(
  part: readonly TurnEvent[],
  after: number,
  turn: readonly TurnEvent[],
): string[] {
  const replayed = bytesOf(turn);
  return bytesOf(part)
    .flatMap((bytes, index) => {
      const expected = after + index + 1;
      const { sequence } = part[index]!;
      if (sequence !== expected) return [`received sequence ${sequence} in place of ${expected}`];
      if (replayed[expected - 1] === undefined)
        return [`event ${expected} was received and is lost`];
      return replayed[expected - 1] === bytes ? [] : [`event ${expected} is not what was received`];
    })
    .slice(0, 5);
}

/** Whether an event ends its turn. */
export function isEnd({ kind }: TurnEvent): boolean {
  return kind.case === "result" || kind.case === "error";
}
