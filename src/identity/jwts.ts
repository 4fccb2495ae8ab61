import { decodeJwt, errors, type JWTPayload, jwtVerify } from "jose";
import type { Log } from "../log.ts";
import { failed, isPrincipalName, type Verdict } from "./authenticator.ts";
import type { Principal, Role } from "./caller.ts";
import { claimTexts, claimValue } from "./claims.ts";
import { fixedKeys, type IssuerKeys, RemoteKeys, USUAL_PACE } from "./issuer-keys.ts";
import type { Issuer, Issuers } from "./issuers.ts";
import type { KeyCache } from "./key-cache.ts";
import { knownRoles } from "./roles.ts";
import { sha256 } from "./token-line.ts";

/** So many tokens are remembered that were found good. */
const MAX_REMEMBERED = 1000;

interface Remembered {
  readonly principal: Principal;
  readonly issuer: Issuer;
  readonly keysVersion: number;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/**
 * Tells somebody by a JWT of an issuer.
 *
 * 1. Algorithm, issuer, audience, signature and times have to hold; the algorithm is one of the issuer's in the file, whatever
 *    the token and its key say.
 * 2. Nothing that a token names is fetched or opened: a `kid` is compared with those of the issuer's keys, no more.
 * 3. A token that was found good stays so until it ends, or the issuer's settings or keys change: only for good ones is
 *    anything remembered.
 */
export class Jwts {
  readonly #issuers: () => Issuers;
  readonly #cache: KeyCache;
  readonly #log: Log;
  readonly #pace: typeof USUAL_PACE;
  readonly #keys = new Map<string, IssuerKeys>();
  #keysAreOf: Issuers | undefined;
  readonly #remembered = new Map<string, Remembered>();

  /** @param issuers - Those of the moment. Their keys begin to be fetched. */
  constructor(issuers: () => Issuers, cache: KeyCache, log: Log, pace = USUAL_PACE) {
    this.#issuers = issuers;
    this.#cache = cache;
    this.#log = log;
    this.#pace = pace;
    this.#takeIssuers();
  }

  /** Tells whose a token is. Resolved at once where it was found good before. */
  verify(token: string): Verdict | Promise<Verdict> {
    this.#takeIssuers();
    const id = sha256(token).toString("base64");
    const known = this.#remembered.get(id);
    if (known !== undefined) {
      if (this.#holds(known)) return { principal: known.principal };
      this.#remembered.delete(id);
    }
    return this.#check(token, id);
  }

  /** Fetches no more keys. */
  stop(): void {
    for (const keys of this.#keys.values()) keys.stop();
  }

  async #check(token: string, id: string): Promise<Verdict> {
    try {
      const claimed = decodeJwt(token).iss;
      const issuer = this.#issuers().byName.get(claimed ?? "");
      const keys = issuer && this.#keys.get(keyOf(issuer));
      if (issuer === undefined || keys === undefined) {
        return failed("jwt", "its issuer is not one of those that are set");
      }
      const keysVersion = keys.version;
      const { payload } = await jwtVerify(token, keys.find, rulesOf(issuer)); // 1. 2.
      const found = principalOf(payload, issuer);
      if ("failure" in found) return found;
      const until = (payload.exp! + issuer.clock_skew_seconds) * 1000;
      this.#remember(id, { ...found, issuer, keysVersion, until });
      return found;
    } catch (error) {
      return failed("jwt", whyOf(error));
    }
  }

  #holds({ issuer, keysVersion, until }: Remembered): boolean {
    const isSet = this.#issuers().byName.get(issuer.issuer) === issuer;
    return isSet && this.#keys.get(keyOf(issuer))?.version === keysVersion && Date.now() < until;
  }

  // 3.
  #remember(id: string, found: Remembered): void {
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.delete(oldest!);
    this.#remembered.set(id, found);
  }

  /** Has the keys of each issuer that is set, and of no other; those of an address that stays are kept. */
  #takeIssuers(): void {
    const issuers = this.#issuers();
    if (this.#keysAreOf === issuers) return;
    this.#keysAreOf = issuers;
    const before = new Map(this.#keys);
    this.#keys.clear();
    for (const issuer of issuers.byName.values()) {
      const key = keyOf(issuer);
      this.#keys.set(key, (issuer.keys === undefined && before.get(key)) || this.#open(issuer));
    }
    for (const [key, keys] of before) if (this.#keys.get(key) !== keys) keys.stop();
  }

  #open({ issuer, keys, jwks_uri: uri }: Issuer): IssuerKeys {
    if (keys !== undefined) return fixedKeys(keys);
    return new RemoteKeys({ issuer, uri: uri! }, this.#cache, this.#log, this.#pace);
  }
}

function keyOf({ issuer, jwks_uri: uri }: Issuer): string {
  return JSON.stringify([issuer, uri]);
}

function rulesOf({ issuer, audience, algorithms, clock_skew_seconds: skew, typ }: Issuer) {
  return {
    issuer,
    audience,
    algorithms,
    clockTolerance: skew,
    // One without an end would be good for ever.
    requiredClaims: ["exp"],
    ...(typ !== undefined && { typ }),
  };
}

function principalOf(claims: JWTPayload, issuer: Issuer): Verdict & object {
  const claimed = claimValue(claims, issuer.name_claim);
  const name = `${issuer.name_prefix}${typeof claimed === "string" ? claimed : ""}`;
  if (typeof claimed !== "string" || claimed === "" || !isPrincipalName(name)) {
    return failed("jwt", "it has no name that a principal can have");
  }
  const roles = rolesOf(claims, issuer);
  if (roles.length === 0) return failed("jwt", "it has no role here");
  return { principal: { name, roles, means: "jwt" } };
}

function rolesOf(claims: JWTPayload, issuer: Issuer): readonly Role[] {
  const { roles_claim: claim, roles: mapping, default_roles: usual = [] } = issuer;
  if (claim === undefined) return usual;
  const values = claimTexts(claimValue(claims, claim));
  const found = mapping
    ? values.flatMap((value) => (Object.hasOwn(mapping, value) ? mapping[value]! : []))
    : values;
  const roles = knownRoles(found);
  return roles.length > 0 ? roles : usual;
}

/** For the operator. Nothing of it is the token's. */
function whyOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "it has expired";
  if (error instanceof errors.JWTClaimValidationFailed) {
    return `its claim ${error.claim} is not as it has to be`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return "its algorithm is not one of its issuer's";
  if (error instanceof errors.JWKSNoMatchingKey) return "it is signed with a key that is not known";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "its signature is wrong";
  return "it cannot be read";
}
