import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TurnEventSchema } from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../../../src/agent/agent.ts";
import { ClaudeTranslation } from "../../../src/agent/claude/translation.ts";

describe("whatever the agent prints", () => {
  const expectSerializable = (line: Uint8Array) => {
    const translation = new ClaudeTranslation({ agent: "a", resumed: false });
    const events: EventKind[] = [];
    translation.translate(line, events);
    for (const kind of events) {
      expect(toBinary(TurnEventSchema, create(TurnEventSchema, { kind })).length).toBeGreaterThan(
        0,
      );
    }
    const { spending } = translation;
    const error = { case: "error", value: { message: "x", ...spending } } as const;
    expect(toBinary(TurnEventSchema, create(TurnEventSchema, { kind: error }))).toBeDefined();
  };

  it("any bytes", () => {
    fc.assert(fc.property(fc.uint8Array(), expectSerializable), { numRuns: 2000 });
  });

  it("any JSON", () => {
    fc.assert(
      fc.property(fc.json(), (json) => expectSerializable(Buffer.from(json))),
      { numRuns: 2000 },
    );
  });

  it("known messages whose fields are anything", () => {
    fc.assert(fc.property(anyMessage(), expectSerializable), { numRuns: 20_000 });
  });
});

/** Lines of the known kinds, with known fields that hold the expected, or anything else. */
function anyMessage(): fc.Arbitrary<Uint8Array> {
  const strings = [
    ..."assistant user system result rate_limit_event conversation_reset init status".split(" "),
    ..."api_retry task_started task_notification permission_denied informational".split(" "),
    ..."model_fallback model_refusal_no_fallback compact_boundary success compacting".split(" "),
    ..."text thinking tool_use tool_result <synthetic> refusal warning rejected \ud800".split(" "),
  ];
  const keys = [
    ..."type type type subtype message content usage id name input model text thinking".split(" "),
    ..."tool_use_id is_error session_id parent_tool_use_id error stop_reason status".split(" "),
    ..."attempt max_retries retry_delay_ms error_status api_error_status num_turns".split(" "),
    ..."duration_ms total_cost_usd input_tokens output_tokens errors result".split(" "),
    ..."permission_denials tool_input tool_name structured_output rate_limit_info".split(" "),
    ..."resetsAt description summary level compact_result local_command_source __proto__".split(
      " ",
    ),
  ];
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, depthIdentifier: "value" },
      fc.constantFrom(...strings),
      fc.oneof(fc.double(), fc.integer(), fc.constantFrom(1e300, -1, 2 ** 53, 0.5)),
      fc.constantFrom(null, true, false),
      fc.array(tie("value"), { maxLength: 3, depthIdentifier: "value" }),
      fc.dictionary(fc.constantFrom(...keys), tie("value"), { depthIdentifier: "value" }),
    ),
  }));
  const type = fc.constantFrom("assistant", "user", "system", "result", "rate_limit_event");
  const message = fc.record({
    content: fc.oneof(value, fc.array(value)),
    usage: value,
    model: value,
  });
  const fields = fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: 12 });
  return fc
    .tuple(fields, type, fc.constantFrom(...strings), message)
    .map(([rest, kind, subtype, content]) =>
      Buffer.from(JSON.stringify({ ...rest, type: kind, subtype, message: content })),
    );
}
