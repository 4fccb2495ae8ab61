import type { JSONWebKeySet, JWK } from "jose";

/** No issuer has more keys in use than this at a time. */
const MAX_KEYS = 100;
/** Public keys. One of kind `oct` is a secret that signs as well. */
const KINDS = ["RSA", "EC", "OKP"];
/** The members that say what a public key is, and what it is for. */
const MEMBERS = ["kty", "kid", "alg", "use", "key_ops", "n", "e", "crv", "x", "y"] as const;

/**
 * Reads a JSON Web Key Set, and keeps of it the public keys by which signatures can be checked.
 *
 * @throws Error that says what is wrong: goes on from where it was read.
 */
export function parseKeySet(text: string): JSONWebKeySet {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    throw new Error("is no JSON");
  }
  const listed = (found as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(listed)) throw new Error('is no key set: it has no list "keys"');
  const keys = listed.filter(isVerifying).slice(0, MAX_KEYS).map(publicPart);
  if (keys.length === 0) throw new Error("holds no public key of the kinds RSA, EC or OKP");
  return { keys };
}

function isVerifying(key: unknown): key is JWK {
  if (typeof key !== "object" || key === null) return false;
  const { kty, use } = key as Record<string, unknown>;
  return KINDS.includes(String(kty)) && (use === undefined || use === "sig");
}

function publicPart(key: JWK): JWK {
  const members = MEMBERS.filter((name) => Object.hasOwn(key, name));
  return Object.fromEntries(members.map((name) => [name, key[name]])) as JWK;
}
