import type { X509Certificate } from "node:crypto";
import type { Means, Principal } from "./caller.ts";
import type { PeerProcess } from "./peer-process.ts";

/** Who is at the other end of a connection, as the connection itself tells. */
export interface Peer {
  /** The address, without its port; `unix` for a socket of this machine; empty where it is not known. */
  readonly address: string;
  /** Whom failures are counted for: the address, or the /64 network of one of IPv6. */
  readonly network: string;
  /** Whether it came by a socket of this machine that has a path, and no address. */
  readonly isUnix: boolean;
  /** What it proved by in the handshake of TLS, signed by one of those that the server trusts. */
  readonly certificate: X509Certificate | undefined;
}

/** All of a request by which somebody can be told. */
export interface Presented {
  readonly peer: Peer;
  /** The process at the other end of the connection, as the kernel tells. Undefined: it has not been looked for. */
  readonly process: PeerProcess | undefined;
  /** The values of a header, in the order in which they came. `name` is in lower case. */
  valuesOf(name: string): readonly string[];
}

/**
 * Why nobody was told. Of a credential's contents only the operator's log has anything, and of the credential nothing.
 */
export interface SignInFailure {
  /** What was shown; `none`: nothing. */
  readonly means: Means | "none";
  /** In a few words for the operator, of which there are few. */
  readonly why: string;
  /** What whoever sent it is told. Undefined: that nobody knows them. */
  readonly told?: string | undefined;
  /** It was told by the process that calls: another's request would not have failed. */
  readonly isByProcess?: true;
}

/** What an authenticator makes of a request. Undefined: it shows nothing of its kind. */
export type Verdict = { readonly principal: Principal } | { readonly failure: SignInFailure };

/** One way to tell who makes a request. */
export interface Authenticator {
  /**
   * Looks at a request. A failure ends the matter: what is shown and wrong does not fall through to what comes later.
   *
   * @returns Resolved at once wherever nothing has to be waited for.
   */
  authenticate(presented: Presented): Verdict | undefined | Promise<Verdict | undefined>;
  /** Whether it could tell a principal of that name; undefined: nobody knows before they come. */
  knows(name: string): boolean | undefined;
}

/** A failure. */
export function failed(means: SignInFailure["means"], why: string, told?: string): Verdict {
  return { failure: { means, why, told } };
}

/** Whether a name from outside can be a principal's: printable, without spaces, and not that of everyone on the machine. */
export function isPrincipalName(name: string): boolean {
  return /^[!-~]{1,256}$/.test(name) && name !== "local";
}
