/** A place where the page keeps something for a person. */
export interface KeepingPlace {
  /** Forgets all that is kept there for them, and keeps nothing more for them in this window. */
  forget(principal: string): void | Promise<void>;
}

const PREFIX = "breakglass.of.";
const places = new Set<KeepingPlace>();

/** Has a place forgotten with the others, when somebody signs out: whatever keeps something of a person registers itself here. */
export function registerKeepingPlace(place: KeepingPlace): void {
  places.add(place);
}

/** Forgets all that the page keeps for a person, in this window and in what windows share. Rejects for nothing: each place is tried. */
export async function forgetAll(principal: string): Promise<void> {
  forgetValues(principal);
  await Promise.allSettled([...places].map(async (place) => place.forget(principal)));
}

/**
 * Keeps a small text for a person until they sign out, such as a draft; until its tab is closed, or where `isLasting` for longer. Whoever
 * else signs in never reads it. Where a browser keeps nothing, nothing is kept.
 *
 * @param value - Undefined: what was kept is forgotten.
 */
export function keep(
  principal: string,
  name: string,
  value: string | undefined,
  isLasting = false,
): void {
  try {
    const storage = isLasting ? localStorage : sessionStorage;
    const key = keyOf(principal, name);
    if (value === undefined) storage.removeItem(key);
    else storage.setItem(key, value);
  } catch {}
}

/** What is kept for a person by that name. */
export function kept(principal: string, name: string): string | undefined {
  for (const storage of storages()) {
    const value = storage.getItem(keyOf(principal, name));
    if (value !== null) return value;
  }
  return undefined;
}

function forgetValues(principal: string): void {
  const prefix = keyOf(principal, "");
  for (const storage of storages()) {
    for (const key of Object.keys(storage)) if (key.startsWith(prefix)) storage.removeItem(key);
  }
}

/** A name may have any character: written so, none is the beginning of another's key. */
function keyOf(principal: string, name: string): string {
  return `${PREFIX}${encodeURIComponent(principal)}/${name}`;
}

function storages(): Storage[] {
  try {
    return [sessionStorage, localStorage];
  } catch {
    return [];
  }
}
