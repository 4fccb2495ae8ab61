import { usd, whole } from "../kinds.ts";
import type { Settings } from "../setting.ts";

/** What turns may spend, each and all of a principal's. */
export const SPENDING_SETTINGS = {
  maxTurnCostUsd: {
    variable: "BREAKGLASS_MAX_TURN_COST_USD",
    kind: usd,
    default: "0",
    does: "What a turn may cost, as the agent reckons: `LIMIT_REACHED`. 0: no limit.",
  },
  maxTurnModelTurns: {
    variable: "BREAKGLASS_MAX_TURN_MODEL_TURNS",
    kind: whole(0, 1_000_000),
    default: "0",
    does: "How often a turn may call the model: `LIMIT_REACHED`. 0: no limit.",
  },
  maxPrincipalCostUsdPerDay: {
    variable: "BREAKGLASS_MAX_PRINCIPAL_COST_USD_PER_DAY",
    kind: usd,
    default: "0",
    does: "What all turns of a principal may cost on a day (UTC): `SPENDING_LIMIT` refuses the next, `LIMIT_REACHED` ends those that run. 0: no limit.",
  },
  maxPrincipalModelTurnsPerDay: {
    variable: "BREAKGLASS_MAX_PRINCIPAL_MODEL_TURNS_PER_DAY",
    kind: whole(0, 1_000_000_000),
    default: "0",
    does: "How often all turns of a principal may call the model on a day (UTC), as above. 0: no limit.",
  },
} as const satisfies Settings;
