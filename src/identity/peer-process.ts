/** Who is at the other end of a connection, as far as the kernel tells. */
export type PeerProcess =
  /** Somebody on another machine: nothing is known of whoever it is. */
  | { readonly kind: "far" }
  /** A process of this machine, of that user, and no agent's. */
  | { readonly kind: "process"; readonly uid: number }
  /** One of an agent's, by the id of what it was started as. Undefined: it cannot be told of which. */
  | { readonly kind: "agent"; readonly processId?: string | undefined }
  /**
   * Somebody of this machine of whom it cannot be told, in words. `passing`: this time, where it usually can; `always`: this
   * system does not tell.
   */
  | { readonly kind: "unknown"; readonly why: string; readonly when: "passing" | "always" };

/** The client's end of a connection: its ends where it is TCP, or the process that connected a socket in the file system. */
export type ClientEnd =
  | {
      readonly address: string;
      readonly port: number;
      readonly serverAddress: string;
      readonly serverPort: number;
    }
  | { readonly pid: number; readonly uid: number };

/**
 * Looks for who is at an end: an agent's process, somebody else's, somebody who cannot be told, nobody of this machine, or
 * nobody could be looked for.
 */
export type PeerLook = (end: ClientEnd) => Promise<FoundPeer>;

/** What such a look found. */
export interface FoundPeer {
  readonly holder: "agent" | "other" | "unknown" | "absent" | "unseen";
  /** Whose the connection is. Undefined: unknown. */
  readonly uid?: number | undefined;
  /** What the agent's process was started as. Undefined: unknown. */
  readonly processId?: string | undefined;
  /** Why nobody could be looked for, in words. */
  readonly failure?: string;
}

/** Whether a peer is a process of the server's own user, or of root: either can read whatever the server can. */
export function isOwn(peer: PeerProcess): boolean {
  return peer.kind === "process" && (peer.uid === 0 || peer.uid === process.geteuid?.());
}
