import { setImmediate as nextLoop } from "node:timers/promises";
import type { PeerEnd, PeerFound } from "./peer-looks.ts";
import type { ProcessFamily } from "./process-family.ts";
import type { Family, Subtree } from "./process-looks.ts";
import type { ProcessWatch } from "./process-watch.ts";

/** Somebody who could not be looked for. */
export interface PeerUnseen {
  readonly holder: "unseen";
  /** Why not, in words. */
  readonly failure: string;
}

interface Asked {
  readonly end: PeerEnd;
  readonly answer: (found: PeerFound | PeerUnseen) => void;
}

/**
 * Tells who is at the other ends of connections from this machine, and whether that is an agent.
 *
 * 1. One look is under way at a time; it is for all connections that were asked about by then.
 * 2. An agent's family is looked through from before its first process is started until none is left.
 */
export class AgentPeers {
  readonly #watch: ProcessWatch;
  readonly #subtree: Subtree | undefined;
  readonly #families = new Map<string, ProcessFamily>();
  readonly #sessionKeys = new Map<string, string>();
  #asked: Asked[] = [];
  #isLooking = false;

  /** @param subtree - Where everybody is an agent's who is not the server's own. Undefined: nowhere. */
  constructor(watch: ProcessWatch, subtree?: Subtree) {
    this.#watch = watch;
    this.#subtree = subtree;
  }

  /** What is known of the families that may have processes. */
  get families(): readonly Family[] {
    return [...this.#families.values()].map(({ facts }) => facts);
  }

  /**
   * A family may have processes from now on.
   *
   * @param sessionKey - The session that it works for, where that is known.
   */
  enter(processId: string, family: ProcessFamily, sessionKey = ""): void {
    this.#families.set(processId, family);
    this.#sessionKeys.set(processId, sessionKey);
  }

  /** A family works for a session from now on. */
  assign(processId: string, sessionKey: string): void {
    if (this.#families.has(processId)) this.#sessionKeys.set(processId, sessionKey);
  }

  /** The session that a family works for. Undefined: that is not known. */
  sessionKeyOf(processId: string): string | undefined {
    return this.#sessionKeys.get(processId) || undefined;
  }

  /** A family has none any more. */
  leave(processId: string): void {
    this.#families.delete(processId);
    this.#sessionKeys.delete(processId);
  }

  /** Who is at an end. Never rejects. */
  look(end: PeerEnd): Promise<PeerFound | PeerUnseen> {
    return new Promise((answer) => {
      this.#asked.push({ end, answer });
      if (!this.#isLooking) void this.#lookOn();
    });
  }

  // 1.
  async #lookOn(): Promise<void> {
    this.#isLooking = true;
    await nextLoop();
    while (this.#asked.length > 0) {
      const asked = this.#asked;
      this.#asked = [];
      await this.#lookFor(asked);
    }
    this.#isLooking = false;
  }

  async #lookFor(asked: readonly Asked[]): Promise<void> {
    const families = [...this.#families.values()];
    const {
      found,
      members,
      failure = "",
    } = await this.#watch.lookForPeers({
      ends: asked.map(({ end }) => end),
      families: families.map(({ facts }) => facts),
      subtree: this.#subtree,
    });
    for (const [index, known] of members.entries()) families[index]!.keep(known);
    for (const [index, { answer }] of asked.entries()) {
      answer(found?.[index] ?? { holder: "unseen", failure });
    }
  }
}
