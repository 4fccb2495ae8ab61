import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { explainExhaustion } from "../exhaustion.ts";
import type { RemovedSession } from "../store/store.ts";
import type { TurnSurroundings } from "./running-turn.ts";
import type { SessionGates } from "./session-gates.ts";

/** Before what lacked file descriptors is tried again, doubling. */
const AGAIN_MS = { first: 1000, longest: 60_000 };

/**
 * Removes what sessions that are no longer on record have left outside the store: the workspace, and what the agent kept.
 *
 * What could not be removed stays on the store's list, for the next start to try again; for want of file descriptors it is
 * tried again by this one.
 */
export class Removals {
  readonly #surroundings: Pick<TurnSurroundings, "store" | "agent" | "log">;
  readonly #gates: SessionGates;
  readonly #closing: AbortSignal;

  /** @param closing - From when it aborts nothing is tried again. */
  constructor(
    surroundings: Pick<TurnSurroundings, "store" | "agent" | "log">,
    gates: SessionGates,
    closing: AbortSignal,
  ) {
    this.#surroundings = surroundings;
    this.#gates = gates;
    this.#closing = closing;
  }

  /** Resolves when it was tried; what failed is in the log. Never rejects. */
  async remove(session: RemovedSession): Promise<void> {
    const { agent, log } = this.#surroundings;
    const { sessionId, workspace } = session;
    // The last turn's processes may still be ending, and write.
    await this.#gates.ready(sessionId);
    await agent.close(sessionId);
    try {
      await this.#removeFiles(session);
    } catch (error) {
      log.error("a removed session left files behind", { workspace, error });
      if (explainExhaustion(error) !== undefined) void this.#removeLater(session);
    }
  }

  async #removeFiles({ workspace, agentSessionId }: RemovedSession): Promise<void> {
    const { store, agent } = this.#surroundings;
    await agent.forget(agentSessionId);
    // Never follows a link: where the agent put one in the workspace's place, the link goes.
    await rm(workspace, { recursive: true, force: true });
    await store.recordRemoved(workspace);
  }

  /** Never rejects. */
  async #removeLater(session: RemovedSession): Promise<void> {
    const signal = this.#closing;
    for (let wait = AGAIN_MS.first; ; wait = Math.min(2 * wait, AGAIN_MS.longest)) {
      await delay(wait, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      try {
        return await this.#removeFiles(session);
      } catch {
        // It was told of once, and stays on the list.
      }
    }
  }

  /** Finishes what a server before this one began. Resolves when all was tried. Never rejects. */
  async recover(): Promise<void> {
    const { store, log } = this.#surroundings;
    try {
      for (const session of await store.listRemovals()) await this.remove(session);
    } catch (error) {
      log.error("the sessions to be removed cannot be listed", { error });
    }
  }
}
