import type { AgentProcess } from "./process/agent-process.ts";
import type { ProcessCounts } from "./process-counts.ts";

/** What is held with a process, and can take turn after turn of one session. */
export interface PooledConversation {
  readonly process: Pick<AgentProcess, "gone" | "isClosing" | "silentMs" | "close" | "killNow">;
  /** The key of its session. Empty: it waits for one that is to be opened. */
  readonly sessionKey: string;
  /** Whether it can take a turn. */
  readonly isIdle: boolean;
  /** What its process runs in the background. */
  readonly tasks: { readonly size: number };
}

/** What is kept, and how long. */
export interface PoolLimits {
  /** How many processes that no turn is using are kept for their sessions. 0: each ends with its turn. */
  readonly maxWarmProcesses: number;
  /** How long one of them is kept, in milliseconds. */
  readonly warmMs: number;
  /** How long one that is not kept may go on behind its turn before it is ended, in milliseconds. */
  readonly lingerMs?: number;
}

/** After its result a CLI with nothing left to do needs 20 to 50 ms to exit; what its background needs is not known. */
const LINGER_MS = 5000;

/**
 * What becomes of a process behind its turn: it is kept for the next one, finishes what it does and exits, or is ended.
 */
export type Fate = "keep" | "finish" | "end";

/**
 * The processes of an agent, by the session that each belongs to, in a turn or between two.
 *
 * 1. A session has at most one that can take its turns.
 * 2. At most `maxWarmProcesses` that no turn is using are kept, the least recently used going first, and among them those
 *    without tasks in the background before the others.
 * 3. Once it is closing, none is kept.
 */
export class ProcessPool<C extends PooledConversation> {
  readonly #limits: PoolLimits;
  /** In the order in which they were last used. */
  readonly #bySessionKey = new Map<string, C>();
  readonly #all = new Set<C>();
  readonly #idleTimers = new Map<C, NodeJS.Timeout>();
  #isClosing = false;

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  /** Takes in one that has been started. It is forgotten once it is gone. */
  add(conversation: C): void {
    this.#all.add(conversation);
    if (conversation.sessionKey !== "") this.touch(conversation);
    void conversation.process.gone.then(() => this.#forget(conversation));
  }

  /** The session's own. */
  of(sessionKey: string): C | undefined {
    return this.#bySessionKey.get(sessionKey);
  }

  /** The sessions that have one. */
  get sessionKeys(): string[] {
    return [...this.#bySessionKey.keys()];
  }

  /** All that are not gone, whatever they do. */
  get all(): readonly C[] {
    return [...this.#all];
  }

  /** How many there are. */
  get counts(): ProcessCounts {
    const counts = { working: 0, warm: 0, spare: 0 };
    for (const { sessionKey, isIdle } of this.#all) {
      counts[sessionKey === "" ? "spare" : isIdle ? "warm" : "working"]++;
    }
    return counts;
  }

  /** It is its session's, and the one that was used last. */
  touch(conversation: C): void {
    // 1.
    this.#bySessionKey.delete(conversation.sessionKey);
    this.#bySessionKey.set(conversation.sessionKey, conversation);
  }

  /** It is used: its idle time is over. */
  use(conversation: C): void {
    clearTimeout(this.#idleTimers.get(conversation));
    this.#idleTimers.delete(conversation);
  }

  /**
   * It is not used any more: its idle time begins. One with tasks in the background is not idle, nor is one whose task has
   * just ended: it takes 2.1.330 some 100 ms to begin what it does about that.
   */
  rest(conversation: C): void {
    this.use(conversation);
    const { warmMs } = this.#limits;
    const timer = setTimeout(() => {
      // A timer can be a little early.
      const isIdle = conversation.tasks.size === 0 && conversation.process.silentMs > warmMs - 1;
      if (isIdle) void conversation.process.close();
      else this.rest(conversation);
    }, warmMs);
    timer.unref();
    this.#idleTimers.set(conversation, timer);
  }

  /** Ends idle ones until so many more can be kept. */
  makeRoom(wanted: number): void {
    const kept = [...this.#bySessionKey.values()].filter(({ isIdle }) => isIdle);
    const excess = kept.length + wanted - this.#limits.maxWarmProcesses;
    if (excess <= 0) return;
    // 2.
    const first = kept.toSorted((a, b) => Number(a.tasks.size > 0) - Number(b.tasks.size > 0));
    for (const { process } of first.slice(0, excess)) void process.close();
  }

  /**
   * Takes one over from the turn that used it.
   *
   * @returns When the session can take its next turn.
   */
  async settle(conversation: C, fate: Fate): Promise<void> {
    const { maxWarmProcesses, lingerMs = LINGER_MS } = this.#limits;
    if (fate === "end") return conversation.process.close();
    // 3.
    const isKept = fate === "keep" && maxWarmProcesses > 0 && !this.#isClosing;
    if (!isKept) return conversation.process.close(lingerMs);
    this.touch(conversation);
    this.rest(conversation);
    this.makeRoom(0);
  }

  /** Ends all that no turn is using; from now on none is kept. Resolves when they are gone. */
  async closeIdle(): Promise<void> {
    this.#isClosing = true;
    const unused = [...this.#all].filter(({ isIdle, process }) => isIdle || process.isClosing);
    const ended = ({ isIdle, process }: C) => (isIdle ? process.close() : process.gone);
    await Promise.all(unused.map(ended));
  }

  killNow(): void {
    for (const { process } of this.#all) process.killNow();
  }

  #forget(conversation: C): void {
    this.use(conversation);
    this.#all.delete(conversation);
    const { sessionKey } = conversation;
    if (this.#bySessionKey.get(sessionKey) === conversation) this.#bySessionKey.delete(sessionKey);
  }
}
