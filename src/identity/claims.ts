import type { JWTPayload } from "jose";

/**
 * What a token claims under a name: that of a claim, else a path into claims, such as `realm_access.roles`.
 */
export function claimValue(claims: JWTPayload, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  return name.split(".").reduce<unknown>((at, key) => {
    const isThere = typeof at === "object" && at !== null && Object.hasOwn(at, key);
    return isThere ? (at as Record<string, unknown>)[key] : undefined;
  }, claims);
}

/** The texts of a claim that is a list of them, or one with spaces between, as scopes are. */
export function claimTexts(value: unknown): string[] {
  if (typeof value === "string") return value.split(" ").filter((text) => text !== "");
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
