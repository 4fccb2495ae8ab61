import { rm } from "node:fs/promises";
import type { RemovedSession } from "../store/store.ts";
import type { TurnSurroundings } from "./running-turn.ts";
import type { SessionGates } from "./session-gates.ts";

/**
 * Removes what sessions that are no longer on record have left outside the store: the workspace, and what the agent kept.
 *
 * What could not be removed stays on the store's list, for the next start to try again.
 */
export class Removals {
  readonly #surroundings: Pick<TurnSurroundings, "store" | "agent" | "log">;
  readonly #gates: SessionGates;

  constructor(
    surroundings: Pick<TurnSurroundings, "store" | "agent" | "log">,
    gates: SessionGates,
  ) {
    this.#surroundings = surroundings;
    this.#gates = gates;
  }

  /** Resolves when it was tried; what failed is in the log. Never rejects. */
  async remove({ sessionId, workspace, agentSessionId }: RemovedSession): Promise<void> {
    const { store, agent, log } = this.#surroundings;
    // The last turn's processes may still be ending, and write.
    await this.#gates.ready(sessionId);
    await agent.close(sessionId);
    try {
      await agent.forget(agentSessionId);
      // Never follows a link: where the agent put one in the workspace's place, the link goes.
      await rm(workspace, { recursive: true, force: true });
      await store.recordRemoved(workspace);
    } catch (error) {
      log.error("a removed session left files behind", { workspace, error });
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
