import type { FieldViolation, Reason } from "#client";

export type { FieldViolation };

/** Why a request is refused, which clients know by the same names. A closed union: the edge maps each to a status code. */
export type RefusalReason = Reason;

/** What a refusal says beside its reason and message. */
export interface RefusalDetails {
  /** Facts for programs, such as `turn_id`. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** The fields to mend. */
  readonly violations?: readonly FieldViolation[];
  /** When trying again makes sense, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** A request that is refused for a reason that the caller is told. Every other error is a defect of the server's. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly reason: RefusalReason;
  readonly details: RefusalDetails;

  constructor(reason: RefusalReason, message: string, details: RefusalDetails = {}) {
    super(message);
    this.reason = reason;
    this.details = details;
  }
}

/** Refuses a turn or a session that does not exist, or that the caller may not see: the answer is the same. */
export function notFound(what: "turn" | "session" | "service"): Refusal {
  return new Refusal("NOT_FOUND", `no such ${what}`);
}

/** What an agent may be unable to do, as callers read it. */
const INABILITIES = {
  steer: "takes no message while it works",
  changed_input: "takes no other input for a tool call than the one that it asked about",
  resume: "cannot go on with a conversation whose process has ended: begin another session",
  images: "takes no images",
  cost: "does not tell what its turns cost: leave max_cost_usd out, or set max_model_turns",
} as const;

/** Refuses what an agent cannot do; whoever calls sees to it that nothing of it is on record. */
export function unsupportedByAgent(kind: string, capability: keyof typeof INABILITIES): Refusal {
  const message = `the agent ${kind} ${INABILITIES[capability]}`;
  const metadata = { agent_kind: kind, capability };
  return new Refusal("UNSUPPORTED_BY_AGENT", message, { metadata });
}

/** Refuses what is asked of a server that has lost its hold on the turn: it goes on, or is ended, elsewhere. */
export function fenced(): Refusal {
  const message = "this server no longer holds what is asked for: ask again, another does";
  return new Refusal("FENCED", message, { retryAfterMs: 1000 });
}

/** Refuses what has to be done on the server that has a session's workspace. */
export function sessionElsewhere(home: string): Refusal {
  const message =
    "the session's workspace is on another server, which cannot be reached now: ask again when it is back";
  return new Refusal("SESSION_ELSEWHERE", message, { metadata: { home }, retryAfterMs: 5000 });
}

/** The server that has to be asked, where this is why it was refused. */
export function homeOf(error: unknown): string | undefined {
  const isElsewhere = error instanceof Refusal && error.reason === "SESSION_ELSEWHERE";
  return isElsewhere ? error.details.metadata?.home : undefined;
}

/** Whether another server has what was to be done: trying it again is of no use. */
export function isFenced(error: unknown): boolean {
  return error instanceof Refusal && error.reason === "FENCED";
}

/** Refuses what was on record once and cannot be read any more: asking again is of no use. */
export function dataLost(message: string, metadata: RefusalDetails["metadata"] = {}): Refusal {
  return new Refusal("DATA_LOSS", message, { metadata });
}

/** Refuses what needs a store that takes writes. */
export function storageFailed(cause: string): Refusal {
  return new Refusal("STORAGE", `the store cannot take a write: ${cause}`, { retryAfterMs: 5000 });
}
