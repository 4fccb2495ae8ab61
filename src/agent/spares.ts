import { setTimeout as delay } from "node:timers/promises";
import type { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { TreeRemovals } from "../files/tree-removals.ts";
import type { Log } from "../log.ts";
import type { SpareReservation } from "./agent.ts";
import type { AgentProcess } from "./process/agent-process.ts";

/** Before another is tried where one did not come up, doubling. */
const RETRY_MS = { first: 5000, longest: 300_000 };

/** What processes that wait for new sessions are started for. */
export interface SparePlan {
  /** How many wait. */
  readonly count: number;
  readonly agent: string;
  readonly model: string;
  readonly mode: PermissionMode;
}

/** What is held with a process that waits for a session. */
export interface SpareConversation {
  readonly process: AgentProcess;
  readonly setup: {
    readonly workspace: string;
    /** The agent's own id of the conversation. Empty: it has given none yet. */
    readonly agentSessionId: string;
  };
  /** The key of the session that has claimed it. Empty: none. */
  readonly sessionKey: string;
  /** Whether it can take a turn. */
  readonly isIdle: boolean;
}

/** What they are started with. */
export interface SpareSurroundings<C extends SpareConversation> {
  readonly plan: SparePlan;
  readonly trees: TreeRemovals;
  readonly log: Log;
  /** Starts one that belongs to no session. */
  open(workspace: string): Promise<C>;
  /** Has it come up; answers whether it did. */
  bringUp(conversation: C): Promise<boolean>;
  /** Whether it was started with rules that are no longer in force. */
  isStale(conversation: C): boolean;
}

/**
 * Processes of an agent that wait, already up, each in a workspace of its own, for sessions that are to be opened.
 *
 * 1. One that is reserved is nobody else's until it is claimed or given back.
 * 2. The workspace of one that was never claimed is removed with it.
 */
export class Spares<C extends SpareConversation> {
  readonly #surroundings: SpareSurroundings<C>;
  /** By the workspace. */
  readonly #ready = new Map<string, C>();
  readonly #reserved = new Set<string>();
  readonly #closing = new AbortController();
  #makeWorkspace: (() => Promise<string>) | undefined;
  #starting: Promise<void>[] = [];

  constructor(surroundings: SpareSurroundings<C>) {
    this.#surroundings = surroundings;
  }

  /** Starts as many as are to wait. */
  prepare(makeWorkspace: () => Promise<string>): void {
    this.#makeWorkspace = makeWorkspace;
    for (let i = 0; i < this.#surroundings.plan.count; i++) this.#startOne();
  }

  /** Keeps one that fits for a session that is to be opened. */
  reserve(agent: string, model: string, mode: PermissionMode): SpareReservation | undefined {
    const { plan } = this.#surroundings;
    if (agent !== plan.agent || model !== plan.model || mode !== plan.mode) return undefined;
    for (const [workspace, { setup, isIdle }] of this.#ready) {
      // 1.
      if (!isIdle || this.#reserved.has(workspace)) continue;
      this.#reserved.add(workspace);
      const { agentSessionId } = setup;
      return { workspace, agentSessionId, release: () => this.#reserved.delete(workspace) };
    }
    return undefined;
  }

  /** Hands one over for good, and starts another in its place. */
  claim(workspace: string): C | undefined {
    const conversation = this.#ready.get(workspace);
    this.#reserved.delete(workspace);
    if (conversation === undefined) return undefined;
    this.#ready.delete(workspace);
    this.#startOne();
    return conversation;
  }

  /** Starts others in the place of those that are stale. One that is reserved does not fit its turn. */
  renew(): void {
    for (const [workspace, conversation] of this.#ready) {
      const isStale = this.#surroundings.isStale(conversation);
      if (isStale && !this.#reserved.has(workspace)) void this.end(workspace);
    }
  }

  /** Ends the one in a workspace that no session will have. */
  async end(workspace: string): Promise<void> {
    await this.claim(workspace)?.process.close();
  }

  /** Ends them all; none is started any more. Resolves when they are gone. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#ready.values()].map(({ process }) => process.close()));
    await Promise.all(this.#starting);
  }

  #startOne(afterMs = 0): void {
    const starting = this.#start(afterMs).finally(() => {
      this.#starting = this.#starting.filter((other) => other !== starting);
    });
    this.#starting.push(starting);
  }

  /** Tries until one waits. Never rejects. */
  async #start(afterMs: number): Promise<void> {
    const { log } = this.#surroundings;
    const { signal } = this.#closing;
    if (afterMs > 0) await delay(afterMs, undefined, { signal, ref: false }).catch(() => {});
    for (let wait = RETRY_MS.first; !signal.aborted; wait = Math.min(2 * wait, RETRY_MS.longest)) {
      try {
        if ((await this.#tryOne()) || signal.aborted) return;
        log.warn("an agent that was to wait for a session did not come up");
      } catch (error) {
        log.warn("an agent that was to wait for a session cannot be started", { error });
      }
      await delay(wait, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  async #tryOne(): Promise<boolean> {
    const { open, bringUp, isStale } = this.#surroundings;
    const workspace = await this.#makeWorkspace!();
    try {
      const conversation = await open(workspace);
      const { process } = conversation;
      // Whoever closes did not find it yet, and would wait for its answer.
      if (this.#closing.signal.aborted) void process.close();
      const isUp = await bringUp(conversation);
      if (isUp && isStale(conversation)) {
        // The rules have changed meanwhile.
        await process.close();
        await this.#removeWorkspace(workspace);
        return this.#tryOne();
      }
      if (isUp && conversation.isIdle && !this.#closing.signal.aborted) {
        this.#ready.set(workspace, conversation);
        void process.gone.then(() => this.#lose(conversation));
        return true;
      }
      await process.close();
    } catch (error) {
      await this.#removeWorkspace(workspace);
      throw error;
    }
    // 2.
    await this.#removeWorkspace(workspace);
    return false;
  }

  /** One has ended without having been claimed. */
  #lose({ setup, sessionKey }: C): void {
    const { workspace } = setup;
    if (sessionKey !== "" || !this.#ready.delete(workspace)) return;
    // A session may be on its way into it, and begins in an empty workspace then.
    if (this.#reserved.delete(workspace)) return;
    // 2.
    void this.#removeWorkspace(workspace);
    if (!this.#closing.signal.aborted) this.#startOne(RETRY_MS.first);
  }

  async #removeWorkspace(workspace: string): Promise<void> {
    const { trees, log } = this.#surroundings;
    const { files, count } = await trees.remove(workspace);
    if (count > 0)
      log.warn("a workspace that nobody had cannot be removed", { left: files, count });
  }
}
