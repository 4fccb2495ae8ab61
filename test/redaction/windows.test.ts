import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  TextDeltaEventSchema,
  TextEventSchema,
  ThinkingEventSchema,
  ToolResultEventSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../../src/agent/agent.ts";
import { KnownForms } from "../../src/redaction/known-forms.ts";
import { Redaction } from "../../src/redaction/redaction.ts";
import { EventRedaction } from "../../src/turns/event-redaction.ts";
import { knownValue, partIn, wellKnown } from "./secrets.ts";

const KIB = 1024;
const value = knownValue(64);
const redaction = new Redaction({ values: [value] });
const samples = [...wellKnown(), { kind: "a known value", before: "", secret: value }];

const text = (said: string, truncated = false): EventKind => ({
  case: "text",
  value: create(TextEventSchema, { text: said, truncated }),
});
const spoken = (events: readonly EventKind[]) =>
  events.map((event) => (event.case === "text" ? event.value.text : "")).join("");

describe.each(samples)("$kind", ({ before, secret }) => {
  it("is found wherever it stands in a large text", () => {
    for (let at = 46 * KIB; at < 66 * KIB; at += 1331) {
      const large = `${"word ".repeat(at / 5)}${before}${secret} ${"word ".repeat(5 * KIB)}`;
      const kept = redaction.text(large);
      expect(kept.length).toBe(large.length - secret.length + "[redacted]".length);
      expect(partIn(kept, secret)).toBeUndefined();
    }
  });

  it("in two texts is in neither, wherever it is cut, and the texts are as many as they were", () => {
    // A key is long: at some of its places.
    const step = secret.length > 500 ? 13 : 1;
    for (let cut = 1; cut < secret.length; cut += step) {
      const events = new EventRedaction(redaction);
      const given = [
        ...events.take([text("Look")]),
        ...events.take([text(`I see ${before}${secret.slice(0, cut)}`)]),
        ...events.take([text(`${secret.slice(cut)} there`)]),
        ...events.release(),
      ];
      expect(given).toHaveLength(3);
      // No more than the first letters of it, where nothing told by then that it was one.
      expect(partIn(spoken(given), secret.slice(0, 24), 12)).toBeUndefined();
      expect(partIn(spoken(given), secret)).toBeUndefined();
      expect(spoken(given)).toContain("there");
    }
  });

  it("is found in a text by itself, whatever was said right before and behind it", () => {
    const events = new EventRedaction(redaction);
    const given = ["Look", `${before}${secret}`, "there"].flatMap((said) =>
      events.take([text(said)]),
    );
    // A form without a bound takes what is right behind it for its own.
    const kept = spoken([...given, ...events.release()]);
    expect(kept).toMatch(/^Look/);
    expect(kept).toContain(`${before}[redacted]`);
    expect(partIn(kept, secret)).toBeUndefined();
  });

  it("is not begun by what was cut by an event's bound", () => {
    const events = new EventRedaction(redaction);
    const cut = `${"word ".repeat(100)}${before}${secret.slice(0, -3)}`;
    const result = create(ToolResultEventSchema, { content: cut, truncated: true });
    const given = [...events.take([text(cut, true)]), ...events.release()];
    events.take([{ case: "toolResult", value: result }]);
    for (const kept of [spoken(given), result.content]) {
      expect(kept).toContain("word word");
      expect(partIn(kept, secret)).toBeUndefined();
    }
  });
});

describe("a text that seems to go on", () => {
  it("waits for the next event, and no longer; another voice is one", () => {
    const events = new EventRedaction(redaction);
    expect(events.take([text(`see ${value.slice(0, 12)}`)])).toEqual([]);
    const piece = create(TextDeltaEventSchema, { text: "more ", messageId: "m" });
    expect(events.take([{ case: "textDelta", value: piece }])).toEqual([]);
    const thought = create(ThinkingEventSchema, { text: "So." });
    const given = events.take([{ case: "thinking", value: thought }]);
    expect(given.map((event) => event.case)).toEqual(["text", "thinking"]);
  });

  it("is bounded, whatever is said", () => {
    const events = new EventRedaction(redaction);
    let given = 0;
    for (let n = 0; n < 1000; n++) given += events.take([text("8".repeat(1000))]).length;
    expect(given).toBeGreaterThan(900);
  });
});

describe("the forms", () => {
  it("that are not looked for in time are taken to be there", () => {
    const large = "word ".repeat(100 * KIB);
    const ranges = new KnownForms().find(large, 0);
    expect(ranges).toEqual([{ start: 48 * KIB, end: large.length }]);
  });
});
