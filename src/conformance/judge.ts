import type { ConformanceCase, Expected } from "./case.ts";
import { CHANGE_KINDS, EVENT_KINDS, type JsonObject, kindOf } from "./case-messages.ts";
import { differences, shown } from "./compare.ts";
import type { DriverExit } from "./driver.ts";
import type { DriverOutput } from "./driver-output.ts";
import { callProblems } from "./judge-calls.ts";
import type { Call } from "./relay.ts";

/** What came of a case. */
export interface Observed {
  readonly output: DriverOutput;
  readonly exit: DriverExit;
  /** The calls that the client made. Undefined: nobody who knows calls stood in between. */
  readonly calls: readonly Call[] | undefined;
  /** When those began that a rule may be for. */
  readonly times: readonly number[];
  /** How many turns the server has on record. Undefined: it was not asked. */
  readonly turns: number | undefined;
  /** The turn as it ended. Undefined: as above. */
  readonly turn: JsonObject | undefined;
}

/** Tells what does not hold, each in a sentence; empty: the case holds. */
export function judge(tested: ConformanceCase, observed: Observed): string[] {
  const { output } = observed;
  if (output.unsupported !== undefined) return [`the driver does not do ${output.unsupported}`];
  return [
    ...output.problems,
    ...exitProblems(observed),
    ...endProblems(tested.expect, output.end),
    ...orderProblems(tested, output.events),
    ...eventProblems(tested.expect, output.events),
    ...cursorProblems(tested, output.changes),
    ...changeProblems(tested.expect, output.changes),
    ...partProblems(tested.expect, output),
    ...recordProblems(tested.expect, observed),
    ...(observed.calls === undefined ? [] : callProblems(tested, observed.calls, observed.times)),
  ];
}

function exitProblems({ exit, output }: Observed): string[] {
  const said = exit.stderr.trim() === "" ? "" : `; it said: ${exit.stderr.trim()}`;
  if (exit.isLate) return [`the driver had not ended in time, and was killed${said}`];
  const status = exit.status ?? "a signal";
  if (exit.status !== 0) return [`the driver ended with ${status}, and not with 0${said}`];
  return output.end === undefined ? [`the driver printed no end${said}`] : [];
}

function endProblems({ end }: Expected, came: JsonObject | undefined): string[] {
  if (came === undefined) return [];
  const wanted = typeof end === "string" ? { kind: end } : { kind: "status", ...end };
  const problems = differences(wanted, came, "end");
  return problems.length === 0 ? [] : [`${problems.join("; ")}; the whole end is ${shown(came)}`];
}

/** What holds in every stream of a turn: each durable event once and in order, one opening checkpoint, one caught_up. */
function orderProblems(tested: ConformanceCase, events: readonly JsonObject[]): string[] {
  const problems: string[] = [];
  let place = Number(tested.request.after_sequence ?? 0);
  for (const event of events) {
    const sequence = Number(event.sequence);
    if (sequence === 0) continue;
    if (sequence <= place) problems.push(`event ${sequence} came again behind ${place}`);
    if (sequence > place + 1) problems.push(`event ${sequence} came behind ${place}`);
    place = Math.max(place, sequence);
  }
  const isCheckpoint = (event: JsonObject | undefined) => event?.checkpoint !== undefined;
  if (events.length > 0 && !isCheckpoint(events[0])) {
    problems.push("what is delivered first is no checkpoint");
  }
  const caughtUp = events.filter(
    ({ checkpoint }) => (checkpoint as JsonObject | undefined)?.caught_up === true,
  );
  if (caughtUp.length > 1) problems.push(`caught_up was said ${caughtUp.length} times`);
  return problems.slice(0, 3);
}

/** What holds in every watch: each change once and in order, behind the cursor that was asked for. */
function cursorProblems(tested: ConformanceCase, changes: readonly JsonObject[]): string[] {
  const problems: string[] = [];
  let place = Number(tested.request.after_cursor ?? 0);
  for (const change of changes) {
    if (kindOf(change) === undefined) continue;
    const cursor = Number(change.cursor);
    if (cursor <= place) problems.push(`change ${cursor} came behind ${place}`);
    place = Math.max(place, cursor);
  }
  return problems.slice(0, 3);
}

function eventProblems(
  { events, checkpoints, pieces }: Expected,
  came: readonly JsonObject[],
): string[] {
  if (events === undefined) return [];
  const counted = came.filter(
    ({ checkpoint, text_delta }) =>
      (checkpoints === "exact" || checkpoint === undefined) &&
      (pieces === "exact" || text_delta === undefined),
  );
  const problems = listProblems(events, counted, "event", EVENT_KINDS);
  return pieces === "exact" ? problems : [...problems, ...pieceProblems(came)];
}

/** Pieces of one message that come before a text are its beginning. */
function pieceProblems(came: readonly JsonObject[]): string[] {
  let joined = "";
  let id: unknown;
  let isAny = false;
  for (const { text_delta, text } of came) {
    const piece = text_delta as JsonObject | undefined;
    if (piece !== undefined) {
      joined = piece.message_id === id ? joined + piece.text : String(piece.text);
      id = piece.message_id;
      isAny = true;
    }
    if (text === undefined) continue;
    const whole = String((text as JsonObject).text);
    if (!whole.startsWith(joined)) {
      return [`the pieces join to ${shown(joined)}, which is no beginning of ${shown(whole)}`];
    }
    joined = "";
    id = undefined;
  }
  return isAny ? [] : ["no pieces came"];
}

function changeProblems({ changes, checkpoints }: Expected, came: readonly JsonObject[]): string[] {
  if (changes === undefined) return [];
  const counted = checkpoints === "exact" ? came : came.filter((one) => kindOf(one) !== undefined);
  return listProblems(changes, counted, "change", CHANGE_KINDS);
}

/** What is not named is as proto3 has it: an event without a `sequence` has 0, and one without a kind has none. */
function listProblems(
  expected: readonly JsonObject[],
  came: readonly JsonObject[],
  what: string,
  kinds: readonly string[],
): string[] {
  for (const [i, one] of expected.entries()) {
    const got = came[i];
    if (got === undefined) {
      return [`${what} ${i + 1} of ${expected.length} did not come: ${shown(one)}`];
    }
    const wanted = what === "event" ? { sequence: 0, ...one } : one;
    const problems =
      kindOf(one) === kindOf(got)
        ? differences(wanted, got, `${what} ${i + 1}`)
        : [`${what} ${i + 1}: expected ${shown(one)}, came ${shown(brief(got, kinds))}`];
    if (problems.length > 0) return problems.slice(0, 2);
  }
  const more = came[expected.length];
  if (more === undefined) return [];
  return [
    `${came.length} ${what}s came, and not ${expected.length}; the next is ${shown(brief(more, kinds))}`,
  ];
}

/** What matters of a message: its place and its kind. */
function brief(message: JsonObject, kinds: readonly string[]): JsonObject {
  const kept = Object.entries(message).filter(
    ([name, value]) => kinds.includes(name) || (name === "sequence" && value !== 0),
  );
  return Object.fromEntries(kept);
}

function partProblems({ outcome, answer }: Expected, output: DriverOutput): string[] {
  return [
    ...(outcome === undefined ? [] : differences(outcome, output.outcome, "outcome")),
    ...(answer === undefined ? [] : differences(answer, output.answer, "answer")),
  ];
}

function recordProblems(expect: Expected, { turns, turn }: Observed): string[] {
  return [
    ...(expect.turns === undefined ? [] : differences(expect.turns, turns, "turns on record")),
    ...(expect.turn === undefined ? [] : differences(expect.turn, turn, "the turn")),
  ];
}
