import type { AgentRun, OwnWork } from "./agent.ts";

/** A run that nobody has asked for. */
export interface UnaskedRun extends AgentRun {
  /** Begins to take what its process prints, under a turn's id. */
  begin(turnId: string): void;
  /** Gives back what was not read: it becomes part of the session's next turn. Idempotent. */
  decline(): void;
}

/** What the work is. */
export type WorkFacts = Omit<OwnWork, "run" | "decline">;

/**
 * Work that processes began without being asked, and that a turn of its own is to be for.
 *
 * 1. What no turn has begun to read when the session's next turn begins becomes part of that.
 */
export class OwnWorkOffers<P extends object> {
  /** What each has begun since it last took a turn, oldest first; some may not have been taken up. */
  readonly #byProcess = new Map<P, Set<UnaskedRun>>();
  #accept: ((work: OwnWork) => string) | undefined;

  /** Has `accept` called with all that is offered; it answers with the id of the turn. */
  onOffer(accept: (work: OwnWork) => string): void {
    this.#accept = accept;
  }

  /** Offers work of a process; where nobody listens it is part of the session's next turn. */
  offer(process: P, facts: WorkFacts, run: UnaskedRun, declined: () => void): void {
    const works = this.#byProcess.get(process) ?? new Set();
    this.#byProcess.set(process, works.add(run));
    void run.released.then(() => works.delete(run));
    const decline = () => {
      run.decline();
      works.delete(run);
      declined();
    };
    const turnId = this.#accept?.({ ...facts, run, decline });
    if (turnId !== undefined) run.begin(turnId);
  }

  /** The session's next turn begins: what was not taken up becomes part of it. */
  declineAll(process: P): void {
    // 1. The turn was recorded first: whoever is asked about the work will decline it.
    for (const run of this.#byProcess.get(process) ?? []) run.decline();
    this.forget(process);
  }

  /** The process is gone. */
  forget(process: P): void {
    this.#byProcess.delete(process);
  }
}
