import type { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { isFenced } from "../errors.ts";
import type { Store } from "../store/store.ts";
import type { StartedTurn, TurnStart } from "../store/writes.ts";
import { byDeadline } from "../stream/deadline.ts";
import type { LeftTurn } from "./left-turn.ts";
import { untilFailed } from "./live-turn.ts";
import type { RunningTurn } from "./running-turn.ts";
import { type PlaceLimits, type TurnPlace, TurnPlaces } from "./turn-places.ts";

/** A turn without a terminal event on disk: one that runs, or one that a server before left. */
export type UnendedTurn = RunningTurn | LeftTurn;

/** `draining` lets running turns go on for a while; `stopping` ends them. Neither takes new ones. */
type Phase = "open" | "draining" | "stopping";

const DRAINING = { reason: "DRAINING", message: "the server is shutting down" } as const;

/**
 * Every turn that has no terminal event on disk, and how many more there may be.
 *
 * 1. A turn has its place from when the store is asked to record it, and is held until its end is on disk or another
 *    server's. What is to be refused has none: only a turn that is there already may come of it.
 * 2. No turn goes on once all are stopped, one that was being recorded then neither; where they were stopped for the store's
 *    sake, until turns are allowed again.
 */
export class UnendedTurns {
  readonly #store: Store;
  readonly #places: TurnPlaces;
  readonly #turns = new Map<string, UnendedTurn>();
  /** Turns that are being recorded. */
  readonly #starting = new Set<Promise<unknown>>();
  #phase: Phase = "open";
  /** Why nothing of a turn can be recorded now, or may not be before long. Undefined: it can. */
  #failure: Error | undefined;

  constructor(store: Store, limits: PlaceLimits) {
    this.#store = store;
    this.#places = new TurnPlaces(limits);
  }

  get(turnId: string): UnendedTurn | undefined {
    return this.#turns.get(turnId);
  }

  /** The one of a session that this server runs. Undefined: none. */
  runningIn(sessionKey: string): RunningTurn | undefined {
    for (const turn of this.#turns.values()) {
      if ("sessionId" in turn && turn.sessionKey === sessionKey) return turn;
    }
    return undefined;
  }

  /** How many there are, by their states. */
  countByState(): ReadonlyMap<TurnState, number> {
    const counts = new Map<TurnState, number>();
    for (const { log } of this.#turns.values()) {
      counts.set(log.state, (counts.get(log.state) ?? 0) + 1);
    }
    return counts;
  }

  /** Why no turn of a principal's can begin now. */
  refusal(principal: string): TurnStart["refusal"] {
    if (this.#phase !== "open") return DRAINING;
    return this.#failureRefusal() ?? this.#places.refusal(principal);
  }

  /** Why no work of an agent's own can begin now, which waits for no place. */
  refusalOfOwn(): TurnStart["refusal"] {
    return this.#phase === "open" ? this.#failureRefusal() : DRAINING;
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
    const isAsked = start.origin !== TurnOrigin.AGENT && start.refusal === undefined;
    const place = isAsked ? this.#places.take(start.principal) : undefined; // 1.
    const created = this.#store.createTurn(start, this.#store.lease.epoch).then((started) => {
      if (started.joined) place?.free(false);
      else this.hold(begin(started), place ?? this.#places.take(started.turn.principal));
      return started;
    });
    this.#starting.add(created);
    try {
      return await created;
    } catch (error) {
      place?.free(false);
      throw error;
    } finally {
      this.#starting.delete(created);
    }
  }

  /** Holds one until it has ended, in a place of its own. */
  hold(turn: UnendedTurn, place: TurnPlace = this.#places.take("")): void {
    this.#turns.set(turn.turnId, turn);
    void turn.ended.then(() => {
      this.#turns.delete(turn.turnId);
      place.free(true);
    });
    if (this.#phase === "stopping") void turn.end({ case: "shutdown" }); // 2.
    if (this.#failure !== undefined) turn.log.fail(this.#failure); // 2.
  }

  /** Stops them all, for nothing of them can be recorded, or may be before long, and refuses new ones. */
  fail(why: Error): void {
    this.#failure = why;
    for (const { log } of this.#turns.values()) log.fail(why);
  }

  /** What is recorded holds again: takes new ones. */
  allow(): void {
    this.#failure = undefined;
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

  #failureRefusal(): TurnStart["refusal"] {
    if (this.#failure === undefined) return undefined;
    const { message } = this.#failure;
    return { reason: isFenced(this.#failure) ? "FENCED" : "STORAGE", message };
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
