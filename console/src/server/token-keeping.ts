const KEY = "breakglass.token";

/**
 * Where the page keeps a token: for as long as its tab is open, or where its bearer asked for it, until they sign out. It is never in an
 * address.
 */
export interface KeptToken {
  readonly token: string;
  readonly isRemembered: boolean;
}

export function readToken(): KeptToken | undefined {
  const ofTab = read("sessionStorage");
  if (ofTab !== undefined) return { token: ofTab, isRemembered: false };
  const remembered = read("localStorage");
  return remembered === undefined ? undefined : { token: remembered, isRemembered: true };
}

export function keepToken({ token, isRemembered }: KeptToken): void {
  forgetToken();
  // Where a browser keeps nothing, the page holds it in memory alone.
  try {
    (isRemembered ? localStorage : sessionStorage).setItem(KEY, token);
  } catch {}
}

/** @param only - Another token than this stays: a window that slept may be told of a sign-out when somebody else has signed in. */
export function forgetToken(only?: string): void {
  for (const storage of ["sessionStorage", "localStorage"] as const) {
    try {
      if (only === undefined || read(storage) === only) globalThis[storage].removeItem(KEY);
    } catch {}
  }
}

function read(storage: "sessionStorage" | "localStorage"): string | undefined {
  try {
    return globalThis[storage].getItem(KEY) ?? undefined;
  } catch {
    return undefined;
  }
}
