import { z } from "zod";
import type { HttpRequest } from "../edge/http.ts";
import { type FieldViolation, Refusal } from "../errors.ts";

/** From where on a turn's events are asked for, and which. */
export interface EventQuery {
  readonly afterSequence: number;
  readonly textDeltas: boolean;
  /** Whether who asks was given events of the turn before, and comes back by itself. */
  readonly isReturning: boolean;
}

const MOST_SEQUENCE = 2 ** 32 - 1;
const LAST_EVENT_ID = "Last-Event-ID";

const sequence = z
  .string()
  .regex(/^\d{1,10}$/, { abort: true, error: "must be a sequence: 0, 1, 2…" })
  .transform(Number)
  .refine((number) => number <= MOST_SEQUENCE, `must be at most ${MOST_SEQUENCE}`);

const RULES: Readonly<Record<string, z.ZodType>> = {
  after_sequence: sequence,
  text_deltas: z.enum(["true", "false"], "must be true or false"),
  [LAST_EVENT_ID]: sequence,
};

/**
 * Reads the query of a request for a turn's events. `Last-Event-ID` is in force before `after_sequence`, which an
 * `EventSource` repeats as it was.
 *
 * @throws Refusal INVALID_ARGUMENT that names what to mend.
 */
export function eventQueryOf(request: HttpRequest, query: URLSearchParams): EventQuery {
  refuseUnknown(query, ["after_sequence", "text_deltas"]);
  const header = request.headers["last-event-id"];
  const lastEventId = header === undefined || header === "" ? undefined : String(header);
  const given = {
    after_sequence: query.get("after_sequence") ?? "0",
    text_deltas: query.get("text_deltas") ?? "false",
    [LAST_EVENT_ID]: lastEventId ?? "0",
  };
  const violations = Object.entries(given).flatMap(([field, text]) => violationsOf(field, text));
  if (violations.length > 0) throw invalid(violations);
  return {
    afterSequence: Number(lastEventId ?? given.after_sequence),
    textDeltas: given.text_deltas === "true",
    isReturning: lastEventId !== undefined,
  };
}

/**
 * Refuses what a query has beside the names that are known, and what it has twice: a slip of the pen in a name would have
 * the whole turn streamed without a word.
 *
 * @throws Refusal INVALID_ARGUMENT
 */
export function refuseUnknown(query: URLSearchParams, names: readonly string[]): void {
  const known = names.length === 0 ? "there are none" : `there are ${names.join(" and ")}`;
  const violations: FieldViolation[] = [];
  for (const name of new Set(query.keys())) {
    const field = name.slice(0, 64).toWellFormed();
    if (!names.includes(name)) {
      violations.push({ field, description: `is no parameter: ${known}` });
    } else if (query.getAll(name).length > 1) {
      violations.push({ field, description: "must be there once" });
    }
  }
  if (violations.length > 0) throw invalid(violations.slice(0, 20));
}

function violationsOf(field: string, text: string): FieldViolation[] {
  const issues = RULES[field]?.safeParse(text).error?.issues ?? [];
  return issues.map(({ message }) => ({ field, description: message }));
}

function invalid(violations: readonly FieldViolation[]): Refusal {
  const message = violations.map(({ field, description }) => `${field} ${description}`).join("; ");
  return new Refusal("INVALID_ARGUMENT", message, { violations });
}
