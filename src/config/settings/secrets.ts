import { choice, variableNames } from "../kinds.ts";
import type { Settings } from "../setting.ts";

/** What is taken out of what the server writes. */
export const SECRET_SETTINGS = {
  secretNames: {
    variable: "BREAKGLASS_SECRET_NAMES",
    kind: variableNames,
    default: "",
    does: "Variables of the server whose values are secrets, beside those whose names say so (`…_TOKEN`, `…_PASSWORD`, `…_KEY` and the like). They are replaced in the log, in notifications and, with `BREAKGLASS_REDACT=1`, on record.",
  },
  redact: {
    variable: "BREAKGLASS_REDACT",
    kind: choice("0", "1"),
    default: "0",
    does: "With `1` secrets are replaced in what agents, callers and approvers say too, before it is recorded or shown. That cannot be undone.",
  },
} as const satisfies Settings;
