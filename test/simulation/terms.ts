import type { LeaseTerms } from "../../src/store/lease.ts";

/** As servers in production have them, where nothing else is set. */
export const TERMS: LeaseTerms = { renewMs: 5000, graceMs: 30_000, leaseMs: 45_000 };
