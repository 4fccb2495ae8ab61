import type {
  AttachTurnRequest,
  RunTurnRequest,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { Caller } from "../identity/caller.ts";
import type { TraceContext } from "../trace-context.ts";
import type { ReadFrom } from "../turns/subscription.ts";
import type { ReaderPlace } from "../turns/subscription-counts.ts";
import type { Turns } from "../turns/turns.ts";
import { attachTurnRules, type RunTurnRules, validate } from "./request-rules.ts";

/** Which turn a stream is of, once that is known. */
export interface AskedTurn {
  readonly turnId: string;
  readonly from: ReadFrom;
  /** The reader's, where it was given one before. */
  readonly place?: ReaderPlace;
}

/**
 * Starts a turn, or joins the one that the same request started before, with a place for its reader.
 *
 * @param trace - The trace that the request is part of. One that joins a turn leaves it in its own.
 * @throws Refusal, where nothing was started.
 */
export async function askRun(
  turns: Turns,
  rules: RunTurnRules,
  message: RunTurnRequest,
  caller: Caller,
  signal: AbortSignal,
  trace?: TraceContext,
): Promise<AskedTurn> {
  const { timeout, textDeltas, ...request } = validate(rules, message);
  // First: a caller who is refused must be able to rely on that nothing was started.
  const place = turns.holdReader(caller, signal);
  try {
    const turn = await turns.run({ ...request, timeoutMs: timeout, trace }, caller);
    return { turnId: turn.turnId, from: { afterSequence: 0, textDeltas }, place };
  } catch (error) {
    place.release();
    throw error;
  }
}

/** @throws Refusal INVALID_ARGUMENT */
export function askAttach(
  message: Pick<AttachTurnRequest, "turnId" | "afterSequence" | "textDeltas">,
): AskedTurn {
  const { turnId, ...from } = validate(attachTurnRules, message);
  return { turnId, from };
}
