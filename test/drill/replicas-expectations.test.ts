import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type TurnEvent, TurnEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import {
  compared,
  missingOfReplicas,
  type SeenTurn,
} from "../../src/drill/replicas-expectations.ts";
import { REPAIRED_LINE } from "../../src/drill/scenario.ts";

type Kind = NonNullable<MessageInitShape<typeof TurnEventSchema>["kind"]>;

function turn(prompt: string, ...kinds: Kind[]): SeenTurn {
  const events: TurnEvent[] = kinds.map((kind, index) =>
    create(TurnEventSchema, { sequence: index + 1, kind }),
  );
  return { prompt, turnId: prompt, events };
}

const text = (value: string) => ({ case: "text", value: { text: value } }) as const;
const result = { case: "result", value: { result: "done" } } as const;
const whole = {
  serial: "s1",
  config: `serial = s1\n${REPAIRED_LINE}\n`,
  found: turn("find", { case: "toolResult", value: { content: "serial = s1" } }, result),
  lost: turn("repair", text("I wait"), { case: "error", value: {} }),
  wentOn: turn(
    "go on",
    { case: "notice", value: {} },
    { case: "session", value: { resumed: true } },
    text("It was the gateway s1."),
    result,
  ),
};

describe("what a drill of several servers has to bring about", () => {
  it("is all there", () => expect(missingOfReplicas(whole)).toEqual([]));

  it.each([
    ["the first turn's result", { found: turn("find", ...kindsOf(whole.found).slice(0, 1)) }],
    ["the end of the turn whose replica was killed", { lost: turn("repair", text("I wait")) }],
    [
      "a notice that the session has moved",
      { wentOn: turn("go on", ...kindsOf(whole.wentOn).slice(1)) },
    ],
    ["a turn elsewhere that remembers the first", { serial: "s2" }],
    ["the repaired file on disk", { config: "port = 80800\n" }],
  ])("is told where there is none of it: %s", (what, without) => {
    expect(missingOfReplicas({ ...whole, ...without })).toContain(what);
  });
});

function kindsOf({ events }: SeenTurn) {
  return events.map(({ kind }) => kind);
}

describe("what is read again", () => {
  const seen = [turn("find", text("one"), text("two"), result)];

  it("is the same", () => expect(compared(seen, structuredClone(seen))).toEqual([]));

  it.each([
    [
      "an event that is lost",
      [turn("find", text("one"))],
      ["event 2 of “find” is lost or another", "event 3 of “find” is lost or another"],
    ],
    [
      "an event that is another",
      [turn("find", text("one"), text("Two"), result)],
      ["event 2 of “find” is lost or another"],
    ],
    [
      "events that nobody saw",
      [turn("find", text("one"), text("two"), result, text("more"))],
      ["1 more events of “find” than were seen"],
    ],
    [
      "a turn that is lost",
      [],
      [1, 2, 3].map((sequence) => `event ${sequence} of “find” is lost or another`),
    ],
  ])("tells of %s", (_what, again, told) => expect(compared(seen, again)).toEqual(told));
});
