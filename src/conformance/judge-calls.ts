import { equals, fromJson, type JsonValue } from "@bufbuild/protobuf";
import {
  type AttachTurnRequest,
  type RunTurnRequest,
  RunTurnRequestSchema,
  type WatchSessionRequest,
  WatchSessionRequestSchema,
  type WatchTurnsRequest,
  WatchTurnsRequestSchema,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { ConformanceCase } from "./case.ts";
import { shown } from "./compare.ts";
import type { Call } from "./relay.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** How much later than the clock says a wait may seem to be over: a call takes its way. */
const EARLY_MS = 2;

/**
 * Tells what is wrong with the calls that a client made, each in a sentence; empty: nothing.
 *
 * @param calls - As they came.
 * @param times - When those began that a rule may be for.
 */
export function callProblems(
  tested: ConformanceCase,
  calls: readonly Call[],
  times: readonly number[],
): string[] {
  const { expect } = tested;
  const problems = [
    ...startProblems(tested, calls),
    ...attachProblems(tested, calls),
    ...watchProblems(tested, calls),
  ];
  if (expect.calls !== undefined) {
    const [wanted, made] = [expect.calls.join(", "), calls.map(callText).join(", ")];
    if (wanted !== made) problems.push(`it called ${made || "nothing"}, and not ${wanted}`);
  }
  for (const [i, { at_least_ms, at_most_ms = Number.POSITIVE_INFINITY }] of (
    expect.waits ?? []
  ).entries()) {
    const waited = Math.round((times[i + 1] ?? Number.NaN) - (times[i] ?? Number.NaN));
    if (!(waited >= at_least_ms - EARLY_MS && waited <= at_most_ms)) {
      problems.push(
        `call ${i + 2} came ${waited} ms behind the one before, and not ${at_least_ms} or more`,
      );
    }
  }
  return problems;
}

/** However often a start is sent, it is the one that was asked for. */
function startProblems({ request }: ConformanceCase, calls: readonly Call[]): string[] {
  const starts = calls.filter(({ method }) => method === "RunTurn").map(({ request }) => request);
  const [first, ...others] = starts as RunTurnRequest[];
  if (first === undefined) return [];
  const problems: string[] = [];
  const asked = fromJson(RunTurnRequestSchema, request as JsonValue);
  asked.requestId ||= first.requestId;
  if (!equals(RunTurnRequestSchema, asked, first)) {
    problems.push("a start is not what the case asks for");
  }
  if (!UUID.test(first.requestId)) {
    problems.push(`a start has the request_id ${shown(first.requestId)}, which is no UUID`);
  }
  if (others.some((other) => !equals(RunTurnRequestSchema, first, other))) {
    problems.push("a start that was sent again is not the same, field for field");
  }
  return problems;
}

function attachProblems({ request }: ConformanceCase, calls: readonly Call[]): string[] {
  const asked = request.text_deltas === true;
  const attaches = calls.filter(({ method }) => method === "AttachTurn");
  const isOther = ({ request: made }: Call) => (made as AttachTurnRequest).textDeltas !== asked;
  return attaches.some(isOther) ? ["an attach asks for other text_deltas than the first call"] : [];
}

const WATCHES = { WatchSession: WatchSessionRequestSchema, WatchTurns: WatchTurnsRequestSchema };

/** However often a watch is gone on with, it is of what was asked for. */
function watchProblems({ request }: ConformanceCase, calls: readonly Call[]): string[] {
  const isOther = ({ method, request: made }: Call) => {
    const schema = WATCHES[method as keyof typeof WATCHES];
    if (schema === undefined) return false;
    const asked = fromJson(schema, request as JsonValue);
    const { afterCursor } = made as WatchSessionRequest | WatchTurnsRequest;
    return !equals(schema, { ...asked, afterCursor }, made as typeof asked);
  };
  return calls.some(isOther) ? ["a watch is not of what the case asks for"] : [];
}

/** A call as the files have it. */
function callText({ method, request }: Call): string {
  switch (method) {
    case "RunTurn":
      return "run";
    case "AttachTurn":
      return `attach ${(request as AttachTurnRequest).afterSequence}`;
    case "WatchSession":
    case "WatchTurns":
      return `watch ${(request as WatchSessionRequest | WatchTurnsRequest).afterCursor}`;
    default:
      return method;
  }
}
