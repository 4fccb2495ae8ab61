import { registerKeepingPlace } from "../../server/keeping.ts";

/** Where somebody reads in a turn: at an event, so many pixels of whose row are scrolled out. */
export interface Place {
  readonly sequence: number;
  readonly offset: number;
}

/** How many turns' places a tab keeps. */
const MAX_KEPT = 50;
const KEY = "breakglass.places";

registerKeepingPlace({
  forget() {
    try {
      sessionStorage.removeItem(KEY);
    } catch {}
  },
});

/** The place in a turn as this tab kept it. Undefined: its end. */
export function readPlace(turnId: string): Place | undefined {
  return readAll()[turnId];
}

/** @param place - Undefined: its end. */
export function keepPlace(turnId: string, place: Place | undefined): void {
  const { [turnId]: _old, ...others } = readAll();
  const entries = Object.entries(others).slice(1 - MAX_KEPT);
  if (place !== undefined) entries.push([turnId, place]);
  // Where a browser keeps nothing, a reload comes back to the end.
  try {
    sessionStorage.setItem(KEY, JSON.stringify(Object.fromEntries(entries)));
  } catch {}
}

/** The event that an address links to, as `#17` does. */
export function linkedSequence(hash: string): number | undefined {
  return /^#[1-9]\d{0,9}$/.test(hash) ? Number(hash.slice(1)) : undefined;
}

function readAll(): Record<string, Place> {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "{}") as Record<string, Place>;
  } catch {
    return {};
  }
}
