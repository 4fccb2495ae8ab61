import { Refusal } from "./errors.ts";

/** What a principal has more of than one may. */
export interface Quota {
  readonly limit: "sessions" | "attachment_bytes" | "workspace_bytes";
  readonly used: number;
  readonly most: number;
  /** What is to be told: how much that is, and by which setting. */
  readonly message: string;
  /** The session whose deletion makes room. Empty: none does. */
  readonly sessionId: string;
  /** How old `used` is, in whole seconds. Undefined: it is of now. */
  readonly ageSeconds?: number;
}

/** Refuses a turn for want of room that its principal has to make. Trying again is of no use before. */
export function quotaExceeded({
  limit,
  used,
  most,
  message,
  sessionId,
  ageSeconds,
}: Quota): Refusal {
  const mend =
    sessionId === ""
      ? ""
      : `; to make room delete a session, such as ${sessionId} (breakglass delete ${sessionId})`;
  return new Refusal("QUOTA_EXCEEDED", `${message}${mend}`, {
    metadata: {
      limit,
      used: String(used),
      most: String(most),
      ...(sessionId === "" ? {} : { session_id: sessionId }),
      ...(ageSeconds === undefined ? {} : { age_seconds: String(ageSeconds) }),
    },
  });
}

/** Bytes in words, such as `5.1 GiB`. */
export function bytesText(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let size = bytes;
  for (; size >= 1024 && unit < units.length - 1; unit++) size /= 1024;
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}
