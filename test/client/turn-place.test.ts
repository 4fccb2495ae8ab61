import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SequenceGapError, TurnPlace } from "../../clients/typescript/src/turn-place.ts";
import { type TurnEvent, TurnEventSchema, TurnState } from "../../gen/breakglass/v1/event_pb.ts";

const text = (sequence: number) =>
  create(TurnEventSchema, { turnId: "t", sequence, kind: { case: "text", value: {} } });
const checkpoint = (sequence: number, caughtUp = false) =>
  create(TurnEventSchema, {
    turnId: "t",
    kind: { case: "checkpoint", value: { sequence, caughtUp, state: TurnState.RUNNING } },
  });
function taken(place: TurnPlace, events: readonly TurnEvent[]): TurnEvent[] {
  return events.flatMap((event) => place.take(event) ?? []);
}

describe("a place in a turn", () => {
  it("takes every event once and in order, however often the connections repeat them", () => {
    const connections = fc.array(fc.record({ back: fc.nat(9), ahead: fc.nat(9) }));
    fc.assert(
      fc.property(fc.nat(20), connections, (after, parts) => {
        const place = new TurnPlace("t", after);
        const delivered = parts.flatMap(({ back, ahead }) => {
          place.reconnect();
          const first = Math.max(1, place.sequence + 1 - back);
          const count = place.sequence + ahead - first + 1;
          return taken(
            place,
            Array.from({ length: Math.max(0, count) }, (_, n) => text(first + n)),
          );
        });
        const sequences = delivered.map(({ sequence }) => sequence);
        expect(sequences).toEqual(sequences.map((_, n) => after + 1 + n));
        expect(place.sequence).toBe(after + sequences.length);
      }),
    );
  });

  it("never takes an event over a gap, and stays where it was", () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.integer({ min: 2, max: 1000 }), (after, step) => {
        const place = new TurnPlace("t", after);
        expect(() => place.take(text(after + step))).toThrow(SequenceGapError);
        expect(() => place.take(checkpoint(after + step))).toThrow(SequenceGapError);
        expect(place.sequence).toBe(after);
      }),
    );
  });

  it("makes the checkpoints of several connections read as those of one", () => {
    const place = new TurnPlace("", 0);
    const first = [checkpoint(0), text(1), checkpoint(1)];
    expect(taken(place, first)).toEqual(first);
    place.reconnect();
    const second = [checkpoint(1), text(2), checkpoint(2, true), checkpoint(2)];
    expect(taken(place, second)).toEqual(second.slice(1));
    place.reconnect();
    const third = [checkpoint(2, true), checkpoint(2), text(3)];
    expect(taken(place, third)).toEqual(third.slice(1));
    place.reconnect();
    const fourth = [checkpoint(3), text(4), checkpoint(4, true), text(5)];
    expect(taken(place, fourth)).toEqual([fourth[1], fourth[3]]);
    expect(place.turnId).toBe("t");
  });

  it("takes the opening checkpoint of a later connection where none came before", () => {
    const place = new TurnPlace("t", 7);
    place.reconnect();
    const opening = checkpoint(7, true);
    expect(place.take(opening)).toBe(opening);
  });
});
