import { createHash } from "node:crypto";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import { Refusal } from "../../errors.ts";
import type { SteerRequest, TurnStart } from "../writes.ts";
import type { Row } from "./row.ts";

/** How long a request is refused whose turn is off the record. */
export const KEPT_MS = 24 * 3600 * 1000;

/** Until when a request is refused whose turn is off the record. Undefined: it is on record. */
export function forgetTimeOf({ forget_time, remove_time }: Row): number | undefined {
  if (forget_time !== null) return Number(forget_time);
  return remove_time === null ? undefined : Number(remove_time) + KEPT_MS;
}

export function requestIdReused(what: string): Refusal {
  return new Refusal("REQUEST_ID_REUSED", `request_id was used before, with another ${what}`);
}

/** Of a request that names neither a mode nor attachments, or no kind of agent, as it was before there were any. */
export function fingerprint(start: TurnStart): Buffer {
  const { prompt, model, agent, sentPermissionMode, attachmentsDigest, sentAgentKind } = start;
  const { sessionKey } = start;
  const isPlain = sentPermissionMode === PermissionMode.UNSPECIFIED && attachmentsDigest === "";
  const hasKind = sentAgentKind !== "";
  const further = isPlain && !hasKind ? [] : [sentPermissionMode, attachmentsDigest];
  // Two principals' sessions may have the same id, which is compared by itself.
  const others = sessionKey === "" ? [] : [{ sessionKey }];
  const kind = hasKind ? [sentAgentKind] : [];
  return digestOf([prompt, model, agent, ...further, ...kind, ...others]);
}

export function steerFingerprint({ message }: SteerRequest): Buffer {
  return digestOf(["steer", message]);
}

export function digestOf(compared: readonly unknown[]): Buffer {
  return createHash("sha256").update(JSON.stringify(compared)).digest();
}
