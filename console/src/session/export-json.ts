import {
  type Session,
  SessionSchema,
  type Turn,
  type TurnEvent,
  TurnEventSchema,
  TurnSchema,
} from "@breakglass/client";
import { toJson } from "@bufbuild/protobuf";

/** The beginning of a session's export: JSON that its turns and {@link jsonEnd} complete. Messages are the proto's own JSON. */
export function jsonHead(session: Session | undefined, version: string, now: Date): string {
  const head = { exportTime: now.toISOString(), serverVersion: version };
  const shown = session && { session: toJson(SessionSchema, session) };
  const inner = JSON.stringify({ ...head, ...shown }).slice(0, -1);
  return `${inner},"turns":[`;
}

/** @param isFirst - No turn came before it. */
export function jsonTurn(turn: Turn, isFirst: boolean): string {
  const json = JSON.stringify({ turn: toJson(TurnSchema, turn) }).slice(0, -1);
  return `${isFirst ? "" : ","}\n${json},"events":[`;
}

/** @param isFirst - No event of its turn came before it. */
export function jsonEvent(event: TurnEvent, isFirst: boolean): string {
  return `${isFirst ? "" : ","}\n${JSON.stringify(toJson(TurnEventSchema, event))}`;
}

export const jsonTurnEnd = "]}";
export const jsonEnd = "\n]}\n";
