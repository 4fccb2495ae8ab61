import type { Caller } from "../../src/identity/caller.ts";
import type { SessionName } from "../../src/store/views.ts";

/** Somebody who asks, by a name. */
export function callerNamed(name: string): Caller {
  return { name, roles: ["operator"], means: "token", address: "127.0.0.1" };
}

/** A principal's session, by its id. */
export function nameOf(principal: string, sessionId: string): SessionName {
  return { principal, sessionId };
}
