import { create } from "@bufbuild/protobuf";
import { ResultEventSchema, TextEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { STOP_RUNGS } from "../../src/agent/process/stop-ladder.ts";
import { DrivenRun } from "../turns/driven-agent.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

/** The longest that an agent takes to be stopped: all rungs of the ladder. */
const STOP_MS = 1000 + STOP_RUNGS.askedMs + STOP_RUNGS.terminatedMs + STOP_RUNGS.killedMs;

/** Until an agent begins, in milliseconds, at most. */
const START_MS = 50;

/** Who is told of an agent. */
export interface RunWatcher {
  began(run: SimulatedRun): void;
  /** Nothing of it is left. */
  over(run: SimulatedRun): void;
}

/** An agent at work: it says something now and then, and ends, whether or not who started it listens. */
export class SimulatedRun extends DrivenRun {
  readonly sessionKey: string;
  readonly turnId: string;
  readonly requestId: string;
  readonly epoch: number;
  readonly process: Process;
  readonly #world: World;
  readonly #told: RunWatcher;
  #isStopping = false;
  #isGone = false;

  constructor(
    world: World,
    process: Process,
    ids: { sessionKey: string; turnId: string; requestId: string; epoch: number },
    told: RunWatcher,
  ) {
    super();
    this.#world = world;
    this.process = process;
    this.sessionKey = ids.sessionKey;
    this.turnId = ids.turnId;
    this.requestId = ids.requestId;
    this.epoch = ids.epoch;
    this.#told = told;
    // Its workspace is made first.
    world.after(world.between(1, START_MS), () => process.do(() => this.#begin()));
  }

  /** Whether it was told to stop. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  override async stop(): Promise<void> {
    if (!this.#isStopping) {
      this.#isStopping = true;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.lastProcess = promise;
      this.leave();
      this.process.timers.setTimeout(
        () => {
          this.gone();
          resolve();
        },
        this.#world.between(0, STOP_MS),
      );
    }
    await this.lastProcess;
  }

  /** Nothing of it is left. */
  gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#told.over(this);
  }

  #begin(): void {
    if (this.#isStopping || this.#isGone) return;
    this.#told.began(this);
    this.#work(this.#world.between(1, 8));
  }

  #work(left: number): void {
    this.#world.after(this.#world.between(20, 3500), () => {
      if (this.#isGone || this.#isStopping) return;
      const batch = Array.from({ length: this.#world.between(1, 3) }, () => {
        return { case: "text", value: create(TextEventSchema, { text: "…" }) } as const;
      });
      if (left > 0) {
        this.process.do(() => this.give(batch));
        return this.#work(left - 1);
      }
      // Its process ends by itself.
      this.gone();
      const value = create(ResultEventSchema, { result: "done" });
      this.process.do(() => {
        this.give([...batch, { case: "result", value }]);
        this.leave();
      });
    });
  }
}
