import { hasLocks } from "./locks.ts";

/** Over HTTP/1.1 a browser has six connections to a server, over all its windows: one is the watch's, and two are left for calls. */
const PLACES = 3;
const NAME = "breakglass.turn";
/** What says that somebody looks at this window and no other. */
const ATTENTION = ["focus", "pointerdown", "keydown"] as const;

/** A place for a turn's stream. */
export interface TurnPlace extends Disposable {
  /** Aborts when the window that somebody looks at has taken the place. */
  readonly lost: AbortSignal;
}

/** Whether places are few: over HTTP/2, which browsers speak over TLS alone, all calls share one connection. */
export async function hasPlaces(): Promise<boolean> {
  if (!(await hasLocks())) return false;
  if (location.protocol === "http:") return true;
  // What came from the service worker has no protocol.
  const entries = [
    ...performance.getEntriesByType("navigation"),
    ...performance.getEntriesByType("resource"),
  ] as PerformanceResourceTiming[];
  return entries.some(({ nextHopProtocol }) => nextHopProtocol === "http/1.1");
}

/**
 * Takes a place for a turn's stream: a free one, or one of another window's where this is the one that somebody looks at. Waits until there is
 * one, or somebody looks.
 *
 * @param onWait - Called where there is none at once.
 * @throws the reason of the signal.
 */
export async function takePlace(
  signal: AbortSignal,
  isFirst: boolean,
  onWait: () => void,
): Promise<TurnPlace> {
  for (let index = 0; index < PLACES; index++) {
    const free = await lock(index, { ifAvailable: true });
    if (free !== undefined) return free;
  }
  const index = Math.floor(Math.random() * PLACES);
  if (isFirst && document.hasFocus()) return (await lock(index, { steal: true }))!;
  onWait();
  const looked = new AbortController();
  const look = () => looked.abort();
  for (const event of ATTENTION) addEventListener(event, look);
  try {
    const waiting = AbortSignal.any([signal, looked.signal]);
    return (await lock(index, { signal: waiting }))!;
  } catch {
    signal.throwIfAborted();
    return (await lock(index, { steal: true }))!;
  } finally {
    for (const event of ATTENTION) removeEventListener(event, look);
  }
}

/**
 * Takes the one place in which turns are read that have ended, one after the other over all windows: each is let go when it is read.
 *
 * @throws the reason of the signal.
 */
export async function takeEndedPlace(signal: AbortSignal): Promise<TurnPlace> {
  return (await lock("ended", { signal }))!;
}

/** Undefined: it is not available. */
async function lock(index: number | "ended", options: LockOptions): Promise<TurnPlace | undefined> {
  const lost = new AbortController();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  return new Promise<TurnPlace | undefined>((resolve, reject) => {
    navigator.locks
      .request(`${NAME}.${index}`, options, (held) => {
        if (held === null) {
          resolve(undefined);
          return undefined;
        }
        resolve({ lost: lost.signal, [Symbol.dispose]: release });
        return released;
      })
      .catch((error: unknown) => {
        lost.abort();
        reject(error);
      });
  });
}
