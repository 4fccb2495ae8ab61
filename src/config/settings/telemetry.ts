import { choice } from "../kinds.ts";
import type { Settings } from "../setting.ts";

/** What the server tells of itself, and to whom. */
export const TELEMETRY_SETTINGS = {
  logLevel: {
    variable: "BREAKGLASS_LOG_LEVEL",
    kind: choice("info", "warn", "error"),
    default: "info",
    does: "The least urgent lines that the log has.",
  },
} as const satisfies Settings;
