import type { Caller } from "../../src/identity/caller.ts";

/** Somebody who asks, by a name. */
export function callerNamed(name: string): Caller {
  return { name, roles: ["operator"], means: "token", address: "127.0.0.1" };
}
