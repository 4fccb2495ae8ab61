import type { Agent, OwnWork } from "./agent.ts";
import { NO_PROCESSES, type ProcessCounts, sumOfProcesses } from "./process-counts.ts";

/**
 * The agents that a server runs, by their kinds: made once, at its start.
 *
 * 1. A session has the agent of one kind for good. What is asked for a session's key is asked of all: only its own knows it.
 */
export class Agents {
  /** The kind of sessions that name none. */
  readonly defaultKind: string;
  readonly #byKind: ReadonlyMap<string, Agent>;
  readonly #endProcesses: (processId: string) => Promise<void>;

  /**
   * @param endProcesses - Ends every process of a family that a server before this one started, whichever agent's; resolves
   * when none is left.
   */
  constructor(
    byKind: ReadonlyMap<string, Agent>,
    defaultKind: string,
    endProcesses: (processId: string) => Promise<void>,
  ) {
    if (!byKind.has(defaultKind)) throw new Error(`there is no agent of the kind ${defaultKind}`);
    this.#byKind = byKind;
    this.defaultKind = defaultKind;
    this.#endProcesses = endProcesses;
  }

  /** In no particular order. */
  get kinds(): string[] {
    return [...this.#byKind.keys()];
  }

  has(kind: string): boolean {
    return this.#byKind.has(kind);
  }

  /** @throws Error where the server runs none of that kind. */
  of(kind: string): Agent {
    const agent = this.#byKind.get(kind);
    if (agent === undefined) throw new Error(`this server runs no agent of the kind ${kind}`);
    return agent;
  }

  /** As `Agent.onOwnWork`, of each. */
  onOwnWork(accept: (work: OwnWork) => string): void {
    for (const agent of this.#all) agent.onOwnWork(accept);
  }

  /** As `Agent.prepare`, of each. */
  prepare(makeWorkspace: () => Promise<string>): void {
    for (const agent of this.#all) agent.prepare(makeWorkspace);
  }

  /** As `Agent.close`, whichever agent the session has. */
  async close(sessionKey: string): Promise<void> {
    await Promise.all(this.#all.map((agent) => agent.close(sessionKey))); // 1.
  }

  /** As `Agent.closeIdle`, of each. */
  async closeIdle(): Promise<void> {
    await Promise.all(this.#all.map((agent) => agent.closeIdle()));
  }

  /** Ends every process of a family that a server before this one started. Resolves when none is left. Never rejects. */
  endProcesses(processId: string): Promise<void> {
    return this.#endProcesses(processId);
  }

  /** As `Agent.processCounts`, of all. */
  processCounts(): ProcessCounts {
    return sumOfProcesses(this.#all.map((agent) => agent.processCounts?.() ?? NO_PROCESSES));
  }

  /** As `Agent.killNow`, of each. */
  killNow(): void {
    for (const agent of this.#all) agent.killNow();
  }

  get #all(): readonly Agent[] {
    return [...this.#byKind.values()];
  }
}
