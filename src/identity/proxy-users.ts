import {
  type Authenticator,
  failed,
  isPrincipalName,
  type Peer,
  type Presented,
  type Verdict,
} from "./authenticator.ts";
import type { Role } from "./caller.ts";
import { hasName } from "./certificates.ts";
import { knownRoles } from "./roles.ts";

/** What a proxy tells of its users. */
export interface ProxyOptions {
  /** The header with the user's name, in lower case. */
  readonly userHeader: string;
  /** The header with roles, separated by commas, in lower case. Undefined: all have the usual ones. */
  readonly rolesHeader: string | undefined;
  /** The roles of users of whom the proxy tells none. */
  readonly roles: readonly Role[];
  /** The names of proxies, as `nameKey` writes them. */
  readonly proxies: ReadonlySet<string>;
}

/**
 * Tells somebody by what a proxy says of who it let through.
 *
 * 1. Only a proxy is believed: who came by the socket of this machine, or with the certificate of one. From everybody else
 *    the headers are as if they were not there.
 * 2. A proxy that names nobody shows nothing.
 */
export class ProxyAuthenticator implements Authenticator {
  readonly #options: ProxyOptions;

  constructor(options: ProxyOptions) {
    this.#options = options;
  }

  authenticate(presented: Presented): Verdict | undefined {
    if (!this.#isProxy(presented.peer)) return undefined; // 1.
    const { userHeader } = this.#options;
    const users = presented.valuesOf(userHeader).filter((value) => value.trim() !== "");
    if (users.length === 0) return undefined; // 2.
    const name = users[0]!.trim();
    if (users.length > 1 || !isPrincipalName(name)) {
      return failed("proxy", "its user is not one name that a principal can have");
    }
    const roles = this.#rolesIn(presented);
    if (roles.length === 0) return failed("proxy", "its user has no role here");
    return { principal: { name, roles, means: "proxy" } };
  }

  knows(): undefined {
    return undefined;
  }

  #isProxy({ isUnix, certificate }: Peer): boolean {
    if (isUnix) return true;
    if (certificate === undefined || Date.now() >= certificate.validToDate.getTime()) return false;
    return hasName(certificate, this.#options.proxies);
  }

  #rolesIn(presented: Presented): readonly Role[] {
    const { rolesHeader, roles } = this.#options;
    const told = rolesHeader === undefined ? [] : presented.valuesOf(rolesHeader);
    const names = told.flatMap((value) => value.split(",")).map((role) => role.trim());
    return names.some((role) => role !== "") ? knownRoles(names) : roles;
  }
}
