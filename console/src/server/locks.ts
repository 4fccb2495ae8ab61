let probe: Promise<boolean> | undefined;

/**
 * Whether windows can take turns by locks: not on a page that came by plain HTTP from another machine, nor where somebody lets pages keep
 * nothing.
 */
export function hasLocks(): Promise<boolean> {
  probe ??= tryLock();
  return probe;
}

async function tryLock(): Promise<boolean> {
  const { locks } = globalThis.navigator ?? {};
  if (locks === undefined) return false;
  try {
    await locks.request("breakglass.probe", { mode: "shared" }, () => {});
    return true;
  } catch {
    return false;
  }
}
