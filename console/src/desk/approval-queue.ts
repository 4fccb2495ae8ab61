import type { ApprovalResolutionEvent, PendingApproval } from "@breakglass/client";

/** A tool call that waits for an approval, or was decided a moment ago. */
export interface QueuedApproval {
  readonly id: string;
  readonly approval: PendingApproval;
  /** When it is denied if nobody answers, by the page's own clock. */
  readonly deadlineMs: number;
  /** Undefined: it waits. */
  readonly resolution?: ApprovalResolutionEvent | undefined;
  /** When that was heard, by the page's own clock. */
  readonly resolvedMs?: number | undefined;
}

/** So long what was decided stays where it was: it says by whom, and nothing moves under the hand of who was about to answer it. */
export const RESOLVED_STAYS_MS = 6000;

/**
 * Puts what waits into the order in which it is to be answered: what one may answer first, of that what is denied soonest.
 *
 * While somebody points at one or has the focus in it nothing that is shown moves: what is new comes last, what was decided stays.
 */
export function arrange(
  shown: readonly QueuedApproval[],
  known: ReadonlyMap<string, QueuedApproval>,
  isHeld: boolean,
  now: number,
): readonly QueuedApproval[] {
  const isShown = ({ resolvedMs }: QueuedApproval) =>
    resolvedMs === undefined || now - resolvedMs < RESOLVED_STAYS_MS;
  if (!isHeld) return [...known.values()].filter(isShown).sort(byUrgency);
  const kept = shown.map((old) => known.get(old.id) ?? old);
  const ids = new Set(kept.map(({ id }) => id));
  const fresh = [...known.values()].filter((one) => !ids.has(one.id) && isShown(one));
  return [...kept, ...fresh.sort(byUrgency)];
}

function byUrgency(a: QueuedApproval, b: QueuedApproval): number {
  const mine = Number(b.approval.mayResolve) - Number(a.approval.mayResolve);
  if (mine !== 0) return mine;
  return a.deadlineMs - b.deadlineMs || (a.id < b.id ? -1 : 1);
}
