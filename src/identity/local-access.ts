import { type Authenticator, failed, type Presented, type Verdict } from "./authenticator.ts";
import { bearerOf } from "./bearer.ts";
import type { Principal } from "./caller.ts";
import type { LocalToken } from "./local-token.ts";
import { isOwn, type PeerProcess } from "./peer-process.ts";

/** The server's own user; everyone, where nobody is told apart. */
export const LOCAL: Principal = {
  name: "local",
  roles: ["viewer", "operator", "approver", "admin"],
  means: "local",
};

/** Why whoever calls is not taken for the server's own user. */
const NOT_OWN: Readonly<Record<PeerProcess["kind"], string>> = {
  process: "it is another user's",
  unknown: "whose it is cannot be told",
  far: "it is of another machine",
  agent: "it is an agent's",
};

const PRINTS = "`breakglass token local`, run as the server's user, prints";

/**
 * Tells the server's own user, where nobody else is to be told: by the local token or, without one, by the process that calls,
 * which could read the token. A wrong token is never as good as none.
 */
export class LocalAccess implements Authenticator {
  readonly #token: LocalToken;

  constructor(token: LocalToken) {
    this.#token = token;
  }

  authenticate({ process, valuesOf }: Presented): Verdict {
    const [header, ...more] = valuesOf("authorization");
    if (header === undefined) {
      if (process !== undefined && isOwn(process)) return { principal: LOCAL };
      const why = `it carries no token, and ${NOT_OWN[process?.kind ?? "unknown"]}`;
      const told = `without a token this server takes calls of its own user's processes alone: ${PRINTS} one for BREAKGLASS_TOKEN`;
      return { failure: { means: "local", why, told, isByProcess: true } };
    }
    const token = more.length === 0 ? bearerOf(header) : undefined;
    if (token !== undefined && this.#token.is(token)) return { principal: LOCAL };
    const told = `the request carries a token that is not this server's: ${PRINTS} the right one`;
    return failed("local", "its token is not the local one", told);
  }

  knows(name: string): boolean {
    return name === LOCAL.name;
  }
}
