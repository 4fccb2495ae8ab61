import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type TurnEvent, TurnEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { missing } from "../../src/drill/expectations.ts";
import { brokenConfig } from "../../src/drill/scenario.ts";

type Kind = NonNullable<MessageInitShape<typeof TurnEventSchema>["kind"]>;

function turn(...kinds: Kind[]): TurnEvent[] {
  return kinds.map((kind, index) => create(TurnEventSchema, { sequence: index + 1, kind }));
}

const repair = turn(
  { case: "session", value: {} },
  { case: "text", value: { text: "I look." } },
  { case: "tool", value: { name: "Bash" } },
  { case: "toolResult", value: { content: "serial = S1" } },
  { case: "result", value: {} },
);
const recall = turn(
  { case: "session", value: { resumed: true } },
  { case: "text", value: { text: "It was S1." } },
  { case: "result", value: {} },
);
const whole = { serial: "S1", config: "port = 8080\n", repair, recall };

describe("missing", () => {
  it("misses nothing where all came", () => {
    expect(missing(whole)).toEqual([]);
  });

  it.each([
    ["a session event", 0],
    ["text", 1],
    ["a Bash tool call", 2],
    ["a tool result with what only this machine knows", 3],
    ["a result without an error", 4],
  ])("misses %s, and the gap it leaves", (what, index) => {
    const absent = missing({ ...whole, repair: repair.filter((_, at) => at !== index) });
    expect(absent).toContain(what);
    expect(absent.includes("sequences without gaps")).toBe(index < 4);
  });

  it("misses the repair on disk", () => {
    expect(missing({ ...whole, config: brokenConfig("S1") })).toEqual([
      "the repaired file on disk",
    ]);
  });

  it("misses a memory that is made up", () => {
    expect(missing({ ...whole, serial: "S2" })).toEqual([
      "a tool result with what only this machine knows",
      "a second turn that remembered the first",
    ]);
  });

  it("misses everything where nothing came", () => {
    expect(missing({ serial: "S1", config: "", repair: [], recall: [] })).toHaveLength(9);
  });
});
