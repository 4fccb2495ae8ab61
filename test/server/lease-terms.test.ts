import { describe, expect, it } from "vitest";
import { leaseTermsOf } from "../../src/server/lease-terms.ts";

const DEFAULTS = { leaseRenewMs: 5000, leaseGraceMs: 30_000, leaseMs: 45_000 };

describe("the terms of a lease", () => {
  it("are those that are set", () => {
    const terms = { renewMs: 5000, graceMs: 30_000, leaseMs: 45_000 };
    expect(leaseTermsOf(DEFAULTS)).toEqual(terms);
    expect(leaseTermsOf({ ...DEFAULTS, leaseMs: 40_000 }).leaseMs).toBe(40_000);
  });

  it("leave time to stop the agents before others may take the server for gone", () => {
    expect(() => leaseTermsOf({ ...DEFAULTS, leaseMs: 39_000 })).toThrow(
      /^BREAKGLASS_LEASE_SECONDS is 39, and has to be 40 at least with a grace of 30/,
    );
  });

  it("stop nobody for one renewal that is late", () => {
    expect(() => leaseTermsOf({ ...DEFAULTS, leaseRenewMs: 16_000 })).toThrow(
      /^BREAKGLASS_LEASE_GRACE_SECONDS is 30, and has to be twice BREAKGLASS_LEASE_RENEW_SECONDS, 16, at least/,
    );
  });
});
