import { TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { TurnStart } from "../../../src/store/writes.ts";
import type { OwnedStore } from "../../support/owned-store.ts";
import { turnStart as anyStart, SUCCEEDED } from "../../support/turn-start.ts";

/** Who asks in the contract, where it is nobody else. */
export const PRINCIPAL = "alice";
export const ENDED = SUCCEEDED;
/** What a refusal has where something is not there, or another's. */
export const GONE = { reason: "NOT_FOUND" };
/** What has spent nothing. */
export const UNSPENT = { usage: undefined, totalCostUsd: 0 };

export const bytes = (...texts: string[]) => texts.map((text) => new TextEncoder().encode(text));
export const texts = (events: Uint8Array[]) =>
  events.map((event) => new TextDecoder().decode(event));

export function turnStart({
  session = "",
  ...more
}: Partial<TurnStart> & { session?: string } = {}): TurnStart {
  return anyStart({ principal: PRINCIPAL, sentSessionId: session, ...more });
}

/** A turn of the agent's own, in a session that is there. */
export async function ownStart(store: OwnedStore, sessionId: string): Promise<TurnStart> {
  const { sessionKey } = await store.getSession(sessionId, PRINCIPAL);
  return turnStart({ session: sessionKey, origin: TurnOrigin.AGENT });
}

/** The one event of a turn, and its end. */
export function endOf(turnId: string) {
  return { turnId, firstSequence: 1, events: bytes("end"), time: 2, end: ENDED };
}

/** Records a turn that has ended. */
export async function ended(store: OwnedStore): Promise<TurnStart> {
  const start = turnStart();
  await store.createTurn(start);
  await store.append(endOf(start.turnId));
  return start;
}

/** Removes all that is off the record. Answers in how many pieces. */
export async function removeAll(store: OwnedStore): Promise<number> {
  for (let pieces = 1; ; pieces++) if (!(await store.removeSome())) return pieces;
}
