import { ActiveSession, type SessionSurroundings } from "./active-session.ts";

/**
 * The sessions of which something is active.
 *
 * 1. A session has one object as long as something of it is active, and none when nothing is.
 */
export class ActiveSessions {
  readonly #surroundings: SessionSurroundings;
  readonly #sessions = new Map<string, ActiveSession>();

  constructor(surroundings: SessionSurroundings) {
    this.#surroundings = surroundings;
  }

  /** How many there are. */
  get size(): number {
    return this.#sessions.size;
  }

  /** The session of a key, to be told at once what becomes active in it. */
  of(sessionKey: string): ActiveSession {
    const known = this.#sessions.get(sessionKey);
    if (known !== undefined) return known;
    const session: ActiveSession = new ActiveSession(sessionKey, this.#surroundings, () => {
      // 1. What was forgotten once can be told of late: another may be in its place.
      if (this.#sessions.get(sessionKey) === session) this.#sessions.delete(sessionKey);
    });
    this.#sessions.set(sessionKey, session);
    return session;
  }

  /** Resolves when nothing runs on of what ran in any session by now. Never rejects. */
  async vacated(): Promise<void> {
    await Promise.all(Array.from(this.#sessions.values(), ({ vacated }) => vacated));
  }
}
