import type { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { Store } from "../store/store.ts";
import type { StartedTurn, TurnStart } from "../store/writes.ts";
import { byDeadline } from "../stream/deadline.ts";
import type { LeftTurn } from "./left-turn.ts";
import { untilFailed } from "./live-turn.ts";
import type { RunningTurn } from "./running-turn.ts";

/** A turn without a terminal event on disk: one that runs, or one that a server before left. */
export type UnendedTurn = RunningTurn | LeftTurn;

/** `draining` lets running turns go on for a while; `stopping` ends them. Neither takes new ones. */
type Phase = "open" | "draining" | "stopping";

const DRAINING = { reason: "DRAINING", message: "the server is shutting down" } as const;

/**
 * Every turn that has no terminal event on disk, and how many more there may be.
 *
 * 1. A turn is counted from when the store is asked to record it, and held until its end is on disk or another server's.
 * 2. No turn goes on once all are stopped, one that was being recorded then neither.
 */
export class UnendedTurns {
  readonly #store: Store;
  readonly #maxTurns: number;
  readonly #turns = new Map<string, UnendedTurn>();
  /** Turns that are being recorded. */
  readonly #starting = new Set<Promise<unknown>>();
  #phase: Phase = "open";

  constructor(store: Store, maxTurns: number) {
    this.#store = store;
    this.#maxTurns = maxTurns;
  }

  get(turnId: string): UnendedTurn | undefined {
    return this.#turns.get(turnId);
  }

  /** How many there are, by their states. */
  countByState(): ReadonlyMap<TurnState, number> {
    const counts = new Map<TurnState, number>();
    for (const { log } of this.#turns.values()) {
      counts.set(log.state, (counts.get(log.state) ?? 0) + 1);
    }
    return counts;
  }

  /** Why no turn can begin now. */
  refusal(): TurnStart["refusal"] {
    if (this.#phase !== "open") return DRAINING;
    if (this.#turns.size + this.#starting.size < this.#maxTurns) return undefined;
    const message = `${this.#maxTurns} turns are running, the server's limit`;
    return { reason: "TOO_MANY_TURNS", message };
  }

  /** Why no work of an agent's own can begin now, which counts for nobody. */
  refusalOfOwn(): TurnStart["refusal"] {
    return this.#phase === "open" ? undefined : DRAINING;
  }

  /**
   * Records a turn, or finds the one that the same request started before.
   *
   * @param begin - Begins one that is new; it is held until it has ended.
   * @throws Refusal as `Store.createTurn`, FENCED.
   */
  async create(
    start: TurnStart,
    begin: (started: StartedTurn) => UnendedTurn,
  ): Promise<StartedTurn> {
    const created = this.#store.createTurn(start, this.#store.lease.epoch).then((started) => {
      if (started.joined) return started;
      this.hold(begin(started));
      return started;
    });
    this.#starting.add(created); // 1.
    try {
      return await created;
    } finally {
      this.#starting.delete(created);
    }
  }

  /** Holds one until it has ended. */
  hold(turn: UnendedTurn): void {
    this.#turns.set(turn.turnId, turn);
    void turn.ended.then(() => void this.#turns.delete(turn.turnId));
    if (this.#phase === "stopping") void turn.end({ case: "shutdown" }); // 2.
  }

  /** Stops them all, for nothing of them can be recorded, or may be before long. */
  fail(why: Error): void {
    for (const { log } of this.#turns.values()) log.fail(why);
  }

  /**
   * Takes no new ones, gives those that run `graceMs` to end by themselves, and ends the others. Resolves when each has
   * ended, but for those whose end the store does not take.
   */
  async drain(graceMs: number): Promise<void> {
    if (this.#phase === "open") this.#phase = "draining";
    await byDeadline(this.#allEnded(), graceMs, undefined);
    this.#phase = "stopping";
    for (const turn of this.#turns.values()) void turn.end({ case: "shutdown" });
    await this.#allEnded();
  }

  async #allEnded(): Promise<void> {
    const failed = new Set<UnendedTurn>();
    for (;;) {
      await Promise.allSettled(this.#starting);
      const waiting = [...this.#turns.values()].filter((turn) => !failed.has(turn));
      if (waiting.length === 0) return;
      const unrecorded = (turn: UnendedTurn) => untilFailed(turn).then(() => void failed.add(turn));
      await Promise.all(waiting.map((turn) => Promise.race([turn.ended, unrecorded(turn)])));
    }
  }
}
