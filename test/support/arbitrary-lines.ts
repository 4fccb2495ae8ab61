import fc from "fast-check";
import { readTranscript, transcriptNames } from "../agent/claude/transcript.ts";
import { type LineMutation, MUTATION_KINDS, mutateLine, STRANGE_VALUES } from "./line-mutations.ts";

const STRINGS = [
  ..."assistant user system result rate_limit_event conversation_reset init status".split(" "),
  ..."api_retry task_started task_notification permission_denied informational".split(" "),
  ..."model_fallback model_refusal_no_fallback compact_boundary success compacting".split(" "),
  ..."text thinking tool_use tool_result <synthetic> refusal warning rejected \ud800".split(" "),
];

const KEYS = [
  ..."type type type subtype message content usage id name input model text thinking".split(" "),
  ..."tool_use_id is_error session_id parent_tool_use_id error stop_reason status".split(" "),
  ..."attempt max_retries retry_delay_ms error_status api_error_status num_turns".split(" "),
  ..."duration_ms total_cost_usd input_tokens output_tokens errors result agents".split(" "),
  ..."permission_denials tool_input tool_name structured_output rate_limit_info".split(" "),
  ..."resetsAt description summary level compact_result local_command_source __proto__".split(" "),
];

/** Lines of the known kinds, with known fields that hold the expected, or anything else. */
export function anyMessage(): fc.Arbitrary<Uint8Array> {
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, depthIdentifier: "value" },
      fc.constantFrom(...STRINGS),
      fc.oneof(fc.double(), fc.integer(), fc.constantFrom(1e300, -1, 2 ** 53, 0.5)),
      fc.constantFrom(null, true, false),
      fc.array(tie("value"), { maxLength: 3, depthIdentifier: "value" }),
      fc.dictionary(fc.constantFrom(...KEYS), tie("value"), { depthIdentifier: "value" }),
    ),
  }));
  const type = fc.constantFrom("assistant", "user", "system", "result", "rate_limit_event");
  const content = fc.oneof(value, fc.array(value));
  const message = fc.record({ content, usage: value, model: value });
  const fields = fc.dictionary(fc.constantFrom(...KEYS), value, { maxKeys: 12 });
  return fc
    .tuple(fields, type, fc.constantFrom(...STRINGS), message)
    .map(([rest, kind, subtype, inner]) =>
      Buffer.from(JSON.stringify({ ...rest, type: kind, subtype, message: inner })),
    );
}

/** Changes of a line. */
export function anyMutations(maxLength = 4): fc.Arbitrary<LineMutation[]> {
  const mutation = fc.record({
    kind: fc.constantFrom(...MUTATION_KINDS),
    place: fc.nat(),
    value: fc.constantFrom(...STRANGE_VALUES),
  });
  return fc.array(mutation, { maxLength });
}

/** What one process printed, and for which turn. */
export interface PrintedTurn {
  readonly agent: string;
  readonly resumed: boolean;
  readonly lines: readonly string[];
}

const transcripts = transcriptNames().map(readTranscript);
const recorded = transcripts.map(({ agent, resumed, lines }): PrintedTurn => {
  return { agent, resumed, lines: lines.map((line) => line.toString()) };
});
const someLine = fc.constantFrom(...new Set(recorded.flatMap(({ lines }) => lines)));

/** A recorded line after some changes, or none. */
export function anyMutatedLine(): fc.Arbitrary<string> {
  return fc.tuple(someLine, anyMutations()).map(([line, changes]) => mutateLine(line, changes));
}

/** A recorded turn whose lines come in any order, some of them not at all, some twice, some changed. */
export function anyMutatedTurn(): fc.Arbitrary<PrintedTurn> {
  return fc.constantFrom(...recorded).chain((turn) => {
    const own = turn.lines.length === 0 ? someLine : fc.constantFrom(...turn.lines);
    const disordered = fc.array(fc.oneof(own, anyMutatedLine()), { maxLength: 30 });
    const changed = fc.tuple(...turn.lines.map((line) => changedSometimes(line)));
    const dropped = changed.map((lines) => lines.filter((line) => line !== ""));
    return fc.oneof(dropped, disordered).map((lines) => ({ ...turn, lines }));
  });
}

function changedSometimes(line: string): fc.Arbitrary<string> {
  const changed = anyMutations(2).map((changes) => mutateLine(line, changes));
  return fc.oneof({ weight: 8, arbitrary: fc.constant(line) }, changed, fc.constant(""));
}
