import { type Authenticator, failed, type Presented, type Verdict } from "./authenticator.ts";
import type { Jwts } from "./jwts.ts";
import type { Tokens } from "./tokens.ts";

/** Longer ones are no tokens of anybody's: nothing is worked out about them. */
const MAX_CHARACTERS = 8192;
const SCHEME = /^Bearer(?: |$)/i;
const BEARER = /^Bearer +([!-~]+) *$/i;
/** Three parts of base64url. A token from the file has no dots where the service made it; it is looked for all the same. */
const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;

/** What bearer tokens are looked for in, as it is at the moment. */
export interface BearerSources {
  /** Undefined: no file is set. */
  readonly tokens: () => Tokens | undefined;
  /** Undefined: no issuers are set. */
  readonly jwts: () => Jwts | undefined;
}

/**
 * Tells somebody by the `Authorization` header: a token from the file, else a JWT of an issuer.
 *
 * A request that shows a bearer token is decided on here, whatever else it shows. Of two nobody can say which a proxy has
 * looked at: they are refused.
 */
export class BearerAuthenticator implements Authenticator {
  readonly #sources: BearerSources;

  constructor(sources: BearerSources) {
    this.#sources = sources;
  }

  authenticate(presented: Presented): Verdict | undefined | Promise<Verdict> {
    const values = presented.valuesOf("authorization");
    // Another scheme's is not for here: proxies hand on what they have looked at themselves.
    if (values.length < 2 && !SCHEME.test(values[0] ?? "")) return undefined;
    const token = values.length === 1 ? BEARER.exec(values[0]!)?.[1] : undefined;
    if (token === undefined || token.length > MAX_CHARACTERS) {
      return failed("token", "its authorization header is not one bearer token");
    }
    const owner = this.#sources.tokens()?.ownerOf(token) ?? "unknown";
    if (typeof owner === "object") return { principal: owner };
    if (owner === "expired") return failed("token", "its token has expired");
    const jwts = this.#sources.jwts();
    if (jwts !== undefined && JWT.test(token)) return jwts.verify(token);
    return failed("token", "its token is unknown");
  }

  knows(name: string): boolean | undefined {
    if (this.#sources.jwts() !== undefined) return undefined;
    return this.#sources.tokens()?.knows(name) ?? false;
  }
}
