import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { SparePlace } from "../agent.ts";
import type { ClaudeRunOptions } from "./claude-agent.ts";
import type { ConversationPlace } from "./command-line.ts";
import type { Conversation } from "./conversation.ts";

/** 2.1.330 answers after 0.4 s on an idle machine, and after several where eight start at once. */
const INITIALIZE_MS = 60_000;
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

/**
 * Processes of the CLI that wait, already up, each in a workspace of its own, for sessions that are to be opened.
 *
 * 1. One that is reserved is nobody else's until it is taken or given back.
 * 2. The workspace of one that was never taken is removed with it.
 */
export class Spares {
  readonly #options: ClaudeRunOptions;
  readonly #open: (place: ConversationPlace) => Promise<Conversation>;
  /** By the CLI's own id of the conversation. */
  readonly #ready = new Map<string, Conversation>();
  readonly #reserved = new Set<string>();
  readonly #closing = new AbortController();
  #makeWorkspace: (() => Promise<string>) | undefined;
  #starting: Promise<void>[] = [];

  /** @param open - Starts a process that belongs to no session. */
  constructor(
    options: ClaudeRunOptions,
    open: (place: ConversationPlace) => Promise<Conversation>,
  ) {
    this.#options = options;
    this.#open = open;
  }

  /** Starts as many as are to wait. */
  prepare(makeWorkspace: () => Promise<string>): void {
    this.#makeWorkspace = makeWorkspace;
    for (let i = 0; i < this.#options.spares.count; i++) this.#startOne();
  }

  /** Keeps one that fits for a session that is to be opened. */
  reserve(agent: string, model: string, mode: PermissionMode): SparePlace | undefined {
    const { spares } = this.#options;
    if (agent !== spares.agent || model !== spares.model || mode !== spares.mode) return undefined;
    for (const [agentSessionId, { place, isIdle }] of this.#ready) {
      if (!isIdle || this.#reserved.has(agentSessionId)) continue;
      this.#reserved.add(agentSessionId);
      const { workspace } = place;
      return { workspace, agentSessionId, release: () => this.#reserved.delete(agentSessionId) };
    }
    return undefined;
  }

  /** Hands one over for good, and starts another in its place. */
  take(agentSessionId: string): Conversation | undefined {
    const conversation = this.#ready.get(agentSessionId);
    this.#reserved.delete(agentSessionId);
    if (conversation === undefined) return undefined;
    this.#ready.delete(agentSessionId);
    this.#startOne();
    return conversation;
  }

  /** Starts others in the place of those with rules that are no longer in force. One that is reserved does not fit its turn. */
  renew(): void {
    for (const [agentSessionId, { rules }] of this.#ready) {
      const isStale = rules !== this.#options.rules && !this.#reserved.has(agentSessionId);
      if (isStale) void this.end(agentSessionId);
    }
  }

  /** Ends the one with a conversation that no session will have. */
  async end(agentSessionId: string): Promise<void> {
    await this.take(agentSessionId)?.close();
  }

  /** Ends them all; none is started any more. Resolves when they are gone. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const conversation of this.#ready.values()) void conversation.close();
    await Promise.all([...this.#ready.values()].map((conversation) => conversation.gone));
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
    const { signal } = this.#closing;
    if (afterMs > 0) await delay(afterMs, undefined, { signal, ref: false }).catch(() => {});
    for (let wait = RETRY_MS.first; !signal.aborted; wait = Math.min(2 * wait, RETRY_MS.longest)) {
      try {
        if ((await this.#tryOne()) || signal.aborted) return;
        this.#options.log.warn("an agent that was to wait for a session did not come up");
      } catch (error) {
        this.#options.log.warn("an agent that was to wait for a session cannot be started", {
          error,
        });
      }
      await delay(wait, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  async #tryOne(): Promise<boolean> {
    const { agent, model } = this.#options.spares;
    const workspace = await this.#makeWorkspace!();
    try {
      const agentSessionId = randomUUID();
      const conversation = await this.#open({ workspace, agentSessionId, model, agent });
      // Whoever closes did not find it yet, and would wait for its answer.
      if (this.#closing.signal.aborted) void conversation.close();
      const answer = await conversation.control({ subtype: "initialize" }, INITIALIZE_MS);
      const isUp = answer !== undefined;
      // Has it load some of what its first turn needs: 30 to 80 ms of that turn (measured on both versions).
      if (isUp) await conversation.control({ subtype: "get_context_usage" }, INITIALIZE_MS);
      if (isUp && conversation.rules !== this.#options.rules) {
        // They have changed meanwhile.
        await conversation.close();
        await this.#removeWorkspace(workspace);
        return this.#tryOne();
      }
      if (isUp && conversation.isIdle && !this.#closing.signal.aborted) {
        this.#ready.set(agentSessionId, conversation);
        void conversation.gone.then(() => this.#lose(conversation));
        return true;
      }
      await conversation.close();
    } catch (error) {
      await this.#removeWorkspace(workspace);
      throw error;
    }
    await this.#removeWorkspace(workspace);
    return false;
  }

  /** One has ended without having been taken. */
  #lose({ place, sessionId }: Conversation): void {
    if (sessionId !== "" || !this.#ready.delete(place.agentSessionId)) return;
    // A session may be on its way into it, and begins in an empty workspace then.
    if (this.#reserved.delete(place.agentSessionId)) return;
    void this.#removeWorkspace(place.workspace);
    if (!this.#closing.signal.aborted) this.#startOne(RETRY_MS.first);
  }

  async #removeWorkspace(workspace: string): Promise<void> {
    const { trees, log } = this.#options;
    const { files, count } = await trees.remove(workspace);
    if (count > 0)
      log.warn("a workspace that nobody had cannot be removed", { left: files, count });
  }
}
