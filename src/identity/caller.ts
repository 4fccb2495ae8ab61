/** Every role, from who may do least. What each allows stands in one table: see docs/access.md. */
export const ROLES = ["viewer", "operator", "approver", "admin"] as const;

/** What somebody may do. */
export type Role = (typeof ROLES)[number];

/** How somebody proved who they are. */
export type Means = "local" | "token" | "certificate" | "jwt" | "proxy";

/** Who somebody is, as authentication established it. */
export interface Principal {
  /** Without spaces or control characters. */
  readonly name: string;
  readonly roles: readonly Role[];
  readonly means: Means;
}

/** Who makes a request, and from where. */
export interface Caller extends Principal {
  /** The address of the peer, without its port; `unix` for a peer on this machine's socket; empty where it is not known. */
  readonly address: string;
}
