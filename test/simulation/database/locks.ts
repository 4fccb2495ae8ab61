import { SqlError } from "./sql-error.ts";

/** Who locks: a transaction. */
export interface LockOwner {
  /** What it has locked, in that order. */
  readonly held: Lockable[];
  waitsFor: Lockable | undefined;
}

export type LockMode = "share" | "exclusive";

interface Waiting {
  readonly by: LockOwner;
  readonly mode: LockMode;
  readonly granted: () => void;
}

/** What transactions lock until they end: a row, or a key that is to be written. */
export interface Lockable {
  readonly holders: Map<LockOwner, LockMode>;
  readonly queue: Waiting[];
}

export function noLock(): Lockable {
  return { holders: new Map(), queue: [] };
}

/**
 * Locks for a transaction, at once where nobody is in the way. Who comes later waits behind who waits already.
 *
 * @param granted - Called when it has it, where it has to wait.
 * @returns Whether it has it.
 * @throws SqlError 40P01 where who is in the way waits for this one.
 */
export function lock(
  lockable: Lockable,
  by: LockOwner,
  mode: LockMode,
  granted: () => void,
): boolean {
  const held = lockable.holders.get(by);
  if (held === "exclusive" || held === mode) return true;
  if (isFree(lockable, by, mode) && (held !== undefined || lockable.queue.length === 0)) {
    hold(lockable, by, mode);
    return true;
  }
  lockable.queue.push({ by, mode, granted });
  by.waitsFor = lockable;
  if (waits(by, by, new Set())) {
    stopWaiting(by);
    throw new SqlError("40P01", "deadlock detected");
  }
  return false;
}

/** Gives up what a transaction has locked. */
export function release(lockable: Lockable, by: LockOwner): void {
  lockable.holders.delete(by);
  grantNext(lockable);
}

/** It is waited for no more. */
export function stopWaiting(by: LockOwner): void {
  const lockable = by.waitsFor;
  by.waitsFor = undefined;
  if (lockable === undefined) return;
  const at = lockable.queue.findIndex((waiting) => waiting.by === by);
  if (at >= 0) lockable.queue.splice(at, 1);
  grantNext(lockable);
}

function grantNext(lockable: Lockable): void {
  for (let first = lockable.queue[0]; first !== undefined; first = lockable.queue[0]) {
    if (!isFree(lockable, first.by, first.mode)) return;
    lockable.queue.shift();
    first.by.waitsFor = undefined;
    hold(lockable, first.by, first.mode);
    first.granted();
  }
}

function hold(lockable: Lockable, by: LockOwner, mode: LockMode): void {
  lockable.holders.set(by, mode);
  by.held.push(lockable);
}

function isFree({ holders }: Lockable, by: LockOwner, mode: LockMode): boolean {
  for (const [other, held] of holders) {
    if (other !== by && (mode === "exclusive" || held === "exclusive")) return false;
  }
  return true;
}

/** Whether a transaction waits for another, also over several. */
function waits(from: LockOwner, to: LockOwner, looked: Set<LockOwner>): boolean {
  const lockable = from.waitsFor;
  if (lockable === undefined) return false;
  const at = lockable.queue.findIndex(({ by }) => by === from);
  const ahead = lockable.queue.slice(0, at).map(({ by }) => by);
  return [...lockable.holders.keys(), ...ahead].some((other) => {
    if (other === from || looked.has(other)) return false;
    looked.add(other);
    return other === to || waits(other, to, looked);
  });
}
