import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TurnPlace } from "../../clients/typescript/src/turn-place.ts";
import { type TurnEvent, TurnEventSchema, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { ShownText } from "../support/shown-text.ts";

const piece = (text: string, messageId = "m") =>
  create(TurnEventSchema, { turnId: "t", kind: { case: "textDelta", value: { text, messageId } } });
const text = (sequence: number) =>
  create(TurnEventSchema, { turnId: "t", sequence, kind: { case: "text", value: {} } });

const checkpoint = (caughtUp: boolean) =>
  create(TurnEventSchema, {
    turnId: "t",
    kind: { case: "checkpoint", value: { caughtUp, state: TurnState.RUNNING } },
  });

/** What is delivered of a piece. */
function taken(place: TurnPlace, event: TurnEvent): string {
  const kind = place.take(event)?.kind;
  return kind?.case === "textDelta" ? kind.value.text : "";
}

/** What a client shows that reads by a place. */
class Reader {
  readonly place = new TurnPlace("t", 0);
  readonly #shown = new ShownText();

  shownBehind(...events: readonly TurnEvent[]): string {
    for (const event of events) {
      for (const given of [this.place.before(event), this.place.take(event)]) {
        if (given !== undefined) this.#shown.take(given.kind);
      }
    }
    return this.#shown.text;
  }
}

describe("pieces of a text over connections", () => {
  it("join to the text, whatever a connection repeats of it and wherever it is cut", () => {
    const written = "I look for the lock. I look for the key.";
    const cuts = fc.array(fc.array(fc.integer({ min: 1, max: 9 })), { maxLength: 5 });
    fc.assert(
      fc.property(cuts, (connections) => {
        const place = new TurnPlace("t", 0);
        let shown = "";
        let furthest = 0;
        for (const lengths of connections) {
          place.reconnect();
          let at = 0;
          for (const length of lengths) {
            // An empty piece would say something else.
            if (at < written.length) shown += taken(place, piece(written.slice(at, at + length)));
            at += length;
          }
          furthest = Math.max(furthest, at);
          expect(shown).toBe(written.slice(0, furthest));
        }
      }),
    );
  });

  it("are void where another connection brings what does not join, under whatever id", () => {
    const reader = new Reader();
    expect(reader.shownBehind(checkpoint(true), piece("I look"))).toBe("I look");
    reader.place.reconnect();
    expect(reader.shownBehind(checkpoint(true), piece("We"), piece(" see"))).toBe("We see");
    reader.place.reconnect();
    expect(reader.shownBehind(checkpoint(true), piece("We see"), piece(" it"))).toBe("We see it");
    reader.place.reconnect();
    expect(reader.shownBehind(checkpoint(true), piece("I begin", "m2"))).toBe("I begin");
  });

  it("are void where the server says so, or another connection brings no more of them", () => {
    const reader = new Reader();
    expect(reader.shownBehind(checkpoint(true), piece("I look"))).toBe("I look");
    expect(reader.shownBehind(piece("", "m#2"))).toBe("");
    expect(reader.shownBehind(piece("I see", "m#2"))).toBe("I see");
    reader.place.reconnect();
    expect(reader.shownBehind(checkpoint(false), checkpoint(true))).toBe("I see");
    expect(reader.shownBehind(checkpoint(false))).toBe("");
    expect(reader.shownBehind(piece("I go"), piece(" on"))).toBe("I go on");
  });

  it("begin anew behind the agent's own text, in the same message too, and have no place", () => {
    const place = new TurnPlace("t", 0);
    expect(taken(place, piece("one"))).toBe("one");
    place.take(text(1));
    place.reconnect();
    expect(taken(place, piece("one more"))).toBe("one more");
    expect(place.sequence).toBe(1);
  });
});
