import { type BreakglassClient, isNotFound, isRefusal } from "#client";
import type { Session } from "../../gen/breakglass/v1/session_pb.ts";

/** A session as a request names it. */
export interface SessionName {
  readonly sessionId: string;
  /** Whose it is. Empty: the caller's own. */
  readonly sessionPrincipal: string;
}

/** A session as the commands take it and print it: another principal's is `PRINCIPAL/ID`. */
export function sessionText({ sessionId, sessionPrincipal }: SessionName): string {
  return sessionPrincipal === "" ? sessionId : `${sessionPrincipal}/${sessionId}`;
}

/** What {@link sessionText} makes, read; its id may be a beginning. */
export function readSessionText(text: string): SessionName {
  const slash = text.lastIndexOf("/");
  return { sessionPrincipal: text.slice(0, Math.max(0, slash)), sessionId: text.slice(slash + 1) };
}

/**
 * Tells the caller's own sessions from others', which a list has too. An id alone means an own one: a beginning that fits what
 * somebody else shares must not have a command work there.
 */
export class OwnSessions {
  readonly #client: BreakglassClient;
  /** Principals, and whether they are the caller. */
  readonly #known = new Map<string, boolean>();

  constructor(client: BreakglassClient) {
    this.#client = client;
  }

  async has({ sessionId, principal }: Pick<Session, "sessionId" | "principal">): Promise<boolean> {
    const known = this.#known.get(principal);
    if (known !== undefined) return known;
    const isOwn = await this.#isOwn(sessionId, principal);
    this.#known.set(principal, isOwn);
    return isOwn;
  }

  async #isOwn(sessionId: string, principal: string): Promise<boolean> {
    try {
      const { session } = await this.#client.getSession({ sessionId });
      return session?.principal === principal;
    } catch (error) {
      if (isNotFound(error)) return false;
      // A server that cannot tell shows nobody's but the caller's.
      if (isRefusal(error)) return true;
      throw error;
    }
  }
}
