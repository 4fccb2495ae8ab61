import { bytes, seconds, whole } from "../kinds.ts";
import { MIB } from "../quantity.ts";
import type { Settings } from "../setting.ts";

/** What a turn may ask for, and how long it may take. */
export const TURN_SETTINGS = {
  turnTimeoutMs: {
    variable: "BREAKGLASS_TURN_TIMEOUT_SECONDS",
    kind: seconds(1, 604_800),
    default: "1800",
    does: "How long a turn may take that names no time of its own: `TURN_TIMEOUT`.",
  },
  idleTimeoutMs: {
    variable: "BREAKGLASS_IDLE_TIMEOUT_SECONDS",
    kind: seconds(1, 604_800),
    default: "900",
    does: "How long the agent may print no line: `IDLE_TIMEOUT`.",
  },
  maxConcurrentTurns: {
    variable: "BREAKGLASS_MAX_CONCURRENT_TURNS",
    kind: whole(1, 100_000),
    default: "16",
    does: "How many turns may run at a time: `TOO_MANY_TURNS`. Where all places are taken, the next goes to who was refused and has the fewest turns running.",
  },
  maxPrincipalTurns: {
    variable: "BREAKGLASS_MAX_PRINCIPAL_TURNS",
    kind: whole(0, 100_000),
    default: "0",
    does: "How many of those may be one principal's: `TOO_MANY_TURNS`. 0: all.",
  },
  drainMs: {
    variable: "BREAKGLASS_DRAIN_SECONDS",
    kind: seconds(0, 604_800),
    default: "10",
    does: "How long running turns get after SIGTERM. Then they are stopped with `SERVER_SHUTDOWN`.",
  },
  maxPromptBytes: {
    variable: "BREAKGLASS_MAX_PROMPT_BYTES",
    kind: bytes(1, 8 * MIB),
    default: String(2 * MIB),
    does: "How long a prompt may be: `INVALID_ARGUMENT`. The agent's program itself refuses more than 10 MB.",
  },
  maxAttachmentBytes: {
    variable: "BREAKGLASS_MAX_ATTACHMENT_BYTES",
    kind: bytes(0, 64 * MIB),
    default: String(8 * MIB),
    does: "How large the attachments of one request may be together: `INVALID_ARGUMENT`.",
  },
} as const satisfies Settings;
