import type { Peer, Presented, Verdict } from "../../src/identity/authenticator.ts";
import { BearerAuthenticator } from "../../src/identity/bearer.ts";
import type { Principal } from "../../src/identity/caller.ts";
import type { Tokens } from "../../src/identity/tokens.ts";

/** Who connects from another machine, and shows no certificate. */
export const STRANGER: Peer = {
  address: "192.0.2.7",
  network: "192.0.2.7",
  isUnix: false,
  certificate: undefined,
};

/** A request with headers, by their names in lower case, from somebody. */
export function presented(
  headers: Readonly<Record<string, string | readonly string[]>> = {},
  peer: Partial<Peer> = {},
): Presented {
  return {
    peer: { ...STRANGER, ...peer },
    valuesOf: (name) => [headers[name] ?? []].flat(),
  };
}

/** Whose token an `authorization` header carries; undefined: nobody's. */
export function tokenOwner(tokens: Tokens, authorization: string | null): Principal | undefined {
  const bearer = new BearerAuthenticator({ tokens: () => tokens, jwts: () => undefined });
  const headers = authorization === null ? {} : { authorization };
  const verdict = bearer.authenticate(presented(headers));
  if (verdict instanceof Promise) throw new Error("a token of a file was waited for");
  return principalIn(verdict);
}

/** Who was told; undefined: nobody. */
export function principalIn(verdict: Verdict | undefined): Principal | undefined {
  return verdict !== undefined && "principal" in verdict ? verdict.principal : undefined;
}
