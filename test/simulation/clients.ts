import { homeOf, Refusal } from "../../src/errors.ts";
import type { TurnStart } from "../../src/store/writes.ts";
import { turnStart } from "../support/turn-start.ts";
import type { Replica } from "./replica.ts";
import type { World } from "./world.ts";

/** Between two turns that are asked for, at most. */
const PAUSE_MS = 4000;
/** How long an answer is waited for. */
const PATIENCE_MS = 15_000;
/** What there is no sense in asking for again. */
const FINAL = ["TURN_IN_PROGRESS", "NOT_FOUND", "SESSION_FULL", "TOO_MANY_TURNS"];

/** Whoever asks for turns, of any replica, and asks again for what was not answered. */
export class Clients {
  readonly #world: World;
  readonly #replicas: readonly Replica[];
  readonly #sessions: string[] = [];
  #isOver = false;
  #lastNumber = 0;

  constructor(world: World, replicas: readonly Replica[]) {
    this.#world = world;
    this.#replicas = replicas;
  }

  start(): void {
    if (this.#isOver) return;
    this.#world.after(this.#world.between(50, PAUSE_MS), () => {
      this.#askNew();
      this.start();
    });
  }

  stop(): void {
    this.#isOver = true;
  }

  #askNew(): void {
    const { random } = this.#world;
    const isOld = this.#sessions.length > 0 && this.#world.chance(600);
    const sentSessionId = isOld ? random.oneOf(this.#sessions) : "";
    const requestId = `request-${++this.#lastNumber}`;
    const start = turnStart({ sentSessionId, requestId, prompt: "x", maxSessionTurns: 1000 });
    const workspaceIfMoved = "/moved";
    const newSession = { ...start.newSession, agentSessionId: "" };
    this.#ask({ ...start, newSession, workspaceIfMoved }, random.oneOf(this.#replicas), 0);
  }

  #ask(start: TurnStart, replica: Replica, attempts: number): void {
    const world = this.#world;
    if (this.#isOver || attempts > 30) return;
    let isAnswered = false;
    const again = (next: Replica, ms: number) => {
      if (isAnswered) return;
      isAnswered = true;
      // Another turn, unless the one before is there.
      const asked = { ...start, turnId: turnStart().turnId };
      world.after(ms, () => this.#ask(asked, next, attempts + 1));
    };
    const anyOther = () => again(world.random.oneOf(this.#replicas), world.between(500, 3000));
    world.after(PATIENCE_MS, () => {
      if (!isAnswered) anyOther();
    });
    replica.run(start).then(
      ({ session }) => {
        isAnswered = true;
        if (!this.#sessions.includes(session.sessionId)) this.#sessions.push(session.sessionId);
      },
      (error: Error) => {
        if (error instanceof Refusal && FINAL.includes(error.reason)) isAnswered = true;
        const home = homeOf(error);
        const atHome = this.#replicas.find(({ name }) => name === home);
        if (atHome?.isServing) again(atHome, world.between(1, 5));
        else anyOther();
      },
    );
  }
}
