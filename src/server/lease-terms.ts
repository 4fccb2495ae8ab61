import { STOP_RUNGS } from "../agent/process/stop-ladder.ts";
import { ConfigError } from "../config/config-error.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import type { LeaseTerms } from "../store/lease.ts";

/** From when agents are to be stopped to when none is left: the ladder, and the look that comes before it. */
const STOP_MS = 1000 + STOP_RUNGS.askedMs + STOP_RUNGS.terminatedMs + STOP_RUNGS.killedMs;
/** What a busy machine may be late by. */
const MARGIN_MS = 1000;

type LeaseSettings = Pick<ServeConfig, "leaseRenewMs" | "leaseGraceMs" | "leaseMs">;

/**
 * What keeps a server's lease, as it is set.
 *
 * @throws ConfigError where agents might still be at work when the server may be taken for gone, or one renewal that is late
 * stops them.
 */
export function leaseTermsOf(config: LeaseSettings): LeaseTerms {
  const { leaseRenewMs: renewMs, leaseGraceMs: graceMs, leaseMs } = config;
  const problems: string[] = [];
  const [renew, grace, lease] = [renewMs / 1000, graceMs / 1000, leaseMs / 1000];
  if (2 * renewMs > graceMs) {
    problems.push(
      `BREAKGLASS_LEASE_GRACE_SECONDS is ${grace}, and has to be twice BREAKGLASS_LEASE_RENEW_SECONDS, ${renew}, at least: a renewal may come late`,
    );
  }
  const least = graceMs + STOP_MS + MARGIN_MS;
  if (leaseMs < least) {
    problems.push(
      `BREAKGLASS_LEASE_SECONDS is ${lease}, and has to be ${least / 1000} at least with a grace of ${grace}: its agents are stopped within ${(STOP_MS + MARGIN_MS) / 1000} s behind that, before others take the server for gone`,
    );
  }
  ConfigError.throwIfAny(problems);
  return { renewMs, graceMs, leaseMs };
}
