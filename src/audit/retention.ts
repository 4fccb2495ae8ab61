import type { KeyObject } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../log.ts";
import { steadyClock } from "../stream/steady-clock.ts";
import type { AuditEntry } from "./entry.ts";
import { signRemoval } from "./head.ts";
import type { AuditLink } from "./record.ts";

/** How often it is looked for what has become old enough: a tenth of the age, within these. */
const LOOK_MS = { least: 1000, most: 3600_000 };

interface RetainedAudit {
  /** As `Store.findAuditBefore`, of the server's own chain. */
  readonly findBefore: (time: number) => Promise<AuditLink | undefined>;
  /** As `Store.removeAudit`. */
  readonly remove: (upTo: number, entries: readonly AuditEntry[]) => Promise<void>;
  /** @throws Error where there is none now: then nothing is removed. */
  readonly key: () => KeyObject;
  readonly log: Log;
}

/**
 * Removes records at a certain age. In their place comes a record with a signed statement of that, up to which: what is left still
 * shows where it begins, and who vouched for that.
 *
 * @param ageMs - 0: all are kept, and nothing is done.
 * @param signal - Ends it.
 * @returns Resolves when it has ended. Never rejects.
 */
export async function retainAudit(
  audit: RetainedAudit,
  ageMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (ageMs === 0) return;
  const clock = steadyClock();
  const every = Math.min(Math.max(ageMs / 10, LOOK_MS.least), LOOK_MS.most);
  while (!signal.aborted) {
    try {
      await removeOlder(audit, () => clock() - ageMs, signal);
    } catch (error) {
      if (!signal.aborted) audit.log.error("old audit records cannot be removed", { error });
    }
    await delay(every, undefined, { signal, ref: false }).catch(() => {});
  }
}

async function removeOlder(
  { findBefore, remove, key }: RetainedAudit,
  before: () => number,
  signal: AbortSignal,
): Promise<void> {
  for (let last = await findBefore(before()); last !== undefined && !signal.aborted; ) {
    const removal = { ...signRemoval(last, key()) };
    await remove(last.sequence, [{ kind: "records_removed", facts: { removal } }]);
    last = await findBefore(before());
  }
}
