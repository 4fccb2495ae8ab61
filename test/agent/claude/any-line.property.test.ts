import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ErrorReason, NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../../../src/agent/agent.ts";
import { ClaudeTranslation } from "../../../src/agent/claude/translation.ts";
import { errorEvent } from "../../../src/turns/turn-end.ts";
import { anyBytes } from "../../support/arbitrary-bytes.ts";
import {
  anyMessage,
  anyMutatedLine,
  anyMutatedTurn,
  type PrintedTurn,
} from "../../support/arbitrary-lines.ts";
import { translateLine } from "../../support/translated-lines.ts";
import { ID, INIT, reasonsOf, translate } from "./lines.ts";
import { faultsOfBytes, faultsOfOrder } from "./stream-rules.ts";

type Line = string | Uint8Array;

/** Holds what lines mean against the rules, and what a turn that is ended behind them tells of its spending. */
function expectRules(lines: readonly Line[], { agent, resumed }: Omit<PrintedTurn, "lines">): void {
  const translation = new ClaudeTranslation({ agent, resumed });
  const events: EventKind[] = [];
  for (const line of lines) translateLine(translation, Buffer.from(line), events);
  expect(faultsOfOrder(events, translation)).toEqual([]);
  const { spending, ended } = translation;
  if (!ended) events.push(errorEvent({ reason: ErrorReason.CANCELED, message: "" }, spending));
  expect(faultsOfBytes(events)).toEqual([]);
}

const NEW = { agent: "a", resumed: false };

describe("whatever the agent prints, its events keep the rules of a turn:", () => {
  it("any bytes", () => {
    const property = fc.property(fc.oneof(anyBytes(60), fc.uint8Array()), (line) =>
      expectRules([line], NEW),
    );
    fc.assert(property, { numRuns: 2000 });
  });

  it("any JSON", () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (json) => expectRules([json], NEW)),
      { numRuns: 200 },
    );
  });

  it("known messages whose fields are anything", () => {
    const lines = fc.array(anyMessage(), { minLength: 1, maxLength: 3 });
    const property = fc.property(lines, fc.boolean(), (printed, resumed) =>
      expectRules(printed, { agent: "a", resumed }),
    );
    fc.assert(property, { numRuns: 2000 });
  });

  it("recorded lines after changes", () => {
    const property = fc.property(anyMutatedLine(), (line) => expectRules([line], NEW));
    fc.assert(property, { numRuns: 4000 });
  });

  it("recorded turns whose lines are dropped, changed, doubled and out of order", () => {
    const property = fc.property(anyMutatedTurn(), (turn) => expectRules(turn.lines, turn));
    fc.assert(property, { numRuns: 600 });
  });
});

describe("a line that is no message, or a message that lacks what it must have,", () => {
  /** Each kind that is known, as it is printed, with the fields that it cannot do without. */
  const KNOWN: readonly [message: object, required: string][] = [
    [INIT, "session_id"],
    [{ type: "assistant", message: { content: [] } }, "message"],
    [{ type: "user", message: { content: [] } }, "message"],
    [{ type: "conversation_reset", new_conversation_id: ID }, "new_conversation_id"],
    [{ type: "rate_limit_event", rate_limit_info: { status: "x" } }, "rate_limit_info"],
    [{ type: "system", subtype: "api_retry", attempt: 1 }, "attempt"],
    [{ type: "system", subtype: "task_started", description: "x" }, "description"],
    [{ type: "system", subtype: "task_notification", status: "x" }, "status"],
    [{ type: "system", subtype: "permission_denied", tool_name: "x" }, "tool_name"],
    [{ type: "system", subtype: "informational", content: "x" }, "content"],
    [{ type: "system", subtype: "local_command_output", content: "x" }, "content"],
  ];
  const MALFORMED = [NoticeReason.MALFORMED_OUTPUT];
  const notFitting = fc.oneof(fc.boolean(), fc.constantFrom(null, undefined, [], ["x"]));

  it("is one notice", () => {
    const property = fc.property(
      fc.constantFrom(...KNOWN),
      notFitting,
      fc.dictionary(fc.string(), fc.jsonValue()),
      ([message, required], value, more) => {
        const broken = { ...more, ...message, [required]: value };
        expect(reasonsOf(translate(broken).events)).toEqual(MALFORMED);
      },
    );
    fc.assert(property, { numRuns: 1000 });
  });

  it("is one notice where it is no JSON object with a type", () => {
    const notObjects = fc
      .jsonValue()
      .filter((value) => Object(value) !== value || !("type" in Object(value)));
    const line = fc.oneof(
      notObjects.map((value) => JSON.stringify(value)),
      fc.string({ minLength: 1 }).map((text) => `{${text}`),
    );
    fc.assert(
      fc.property(line, (text) => {
        fc.pre(!/"type"/.test(text));
        expect(reasonsOf(translate(text).events)).toEqual(MALFORMED);
      }),
      { numRuns: 1000 },
    );
  });

  it("is nothing at all where its kind is unknown", () => {
    const TYPES = /^(assistant|user|system|result|conversation_reset|rate_limit_event)$/;
    const unknown = fc.string({ unit: "binary" }).filter((name) => !TYPES.test(name));
    const property = fc.property(
      unknown,
      fc.dictionary(fc.string(), fc.jsonValue()),
      (type, more) => {
        expect(translate({ ...more, type }).events).toEqual([]);
        const { init, status, ...rest } = more;
        expect(translate({ ...rest, type: "system", subtype: `x_${type}` }).events).toEqual([]);
      },
    );
    fc.assert(property, { numRuns: 1000 });
  });
});
