import { z } from "zod";
import { type Caller, ROLES } from "../identity/caller.ts";

/**
 * The header in which a replica tells another who makes a call, as it established that. Where clients call it is not looked at,
 * and is not handed on.
 */
export const CALLER_HEADER = "breakglass-cluster-caller";

/** What names are and roles, by the rules of the replica that established them. A newer one may say more. */
const callerRules = z.object({
  name: z.string().regex(/^[^\s\p{Cc}]{1,1024}$/u),
  roles: z.array(z.enum(ROLES)).max(ROLES.length),
  means: z.enum(["local", "token", "certificate", "jwt", "proxy"]),
  address: z.string().max(256),
});

/** A caller as a header's value. */
export function writeCaller({ name, roles, means, address }: Caller): string {
  return Buffer.from(JSON.stringify({ name, roles, means, address })).toString("base64url");
}

/** The caller of a header's value; undefined: it is none. */
export function readCaller(value: unknown): Caller | undefined {
  if (typeof value !== "string") return undefined;
  try {
    return callerRules.parse(JSON.parse(Buffer.from(value, "base64url").toString("utf8")));
  } catch {
    return undefined;
  }
}
