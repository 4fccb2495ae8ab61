import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AgentRun, AgentTurn } from "../../src/agent/agent.ts";
import { Refusal } from "../../src/errors.ts";
import { callerNamed, nameOf } from "../support/caller.ts";
import { eventually } from "../support/processes.ts";
import { DrivenAgent, type DrivenOwnWork, type DrivenRun } from "./driven-agent.ts";
import {
  type DrivenTurns,
  PRINCIPAL,
  pass,
  REQUEST,
  result,
  startDrivenTurns,
} from "./driven-turns.ts";

/** One thing that happens to a session's id; numbers count back from the newest, modulo what there is. */
type Step =
  | { readonly do: "prompt" | "ownWork" | "delete" | "pass" | "hold" | "settle" }
  | { readonly do: "finish" | "cancel" | "letGo"; readonly which: number };

const which = fc.nat(6);
const anySteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("pass") }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("prompt", "prompt", "delete") }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("ownWork", "hold", "settle") }) },
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constantFrom("finish", "finish", "letGo"), which }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel"), which }) },
  ),
  { minLength: 20, maxLength: 60, size: "max" },
);

/** A run, with processes that live on after it until they are let go. */
interface Ran {
  readonly run: DrivenRun;
  readonly turnId: string;
  /** The turn that its session was started for last. */
  readonly place: AgentTurn;
  readonly letGo: () => void;
  isGone: boolean;
}

/** Notes what must not be asked of an agent. */
class WatchfulAgent extends DrivenAgent {
  readonly faults: string[] = [];
  ran: Ran[] = [];
  /** Processes end with their runs. */
  isHasty = false;

  override start(turn: AgentTurn): AgentRun {
    const before = this.ran.filter(({ place }) => place.sessionKey === turn.sessionKey);
    if (before.some(lives)) this.faults.push("a turn was started beside another's processes");
    const run = this.runOf(turn.prompt);
    this.#watch(run, turn.turnId, turn);
    return super.start(turn);
  }

  override beginOwnWork(place: AgentTurn): DrivenOwnWork {
    const work = super.beginOwnWork(place);
    this.#watch(work.run, work.turnId, place);
    return work;
  }

  override forget(ids: readonly string[], workspace: string): Promise<void> {
    const own = this.ran.filter(({ place }) => place.workspace === workspace);
    if (own.some(lives)) this.faults.push("a session was removed under its processes");
    if (own.some(({ place }) => !this.closed.includes(place.sessionKey))) {
      this.faults.push("a session was removed whose process had not been ended");
    }
    return super.forget(ids, workspace);
  }

  #watch(run: DrivenRun, turnId: string, place: AgentTurn): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    const ran: Ran = { run, turnId, place, letGo: () => letGo(), isGone: false };
    const letGo = () => {
      ran.isGone = true;
      resolve();
    };
    run.lastProcess = promise;
    if (this.isHasty) letGo();
    this.ran.push(ran);
  }
}

/** Whether something of it runs; what was declined never did. */
const lives = ({ run, isGone }: Ran) => run.isRead && !(run.isOver && isGone);

/** What is done to sessions of one id, one after the other. */
class SessionUnderTest {
  readonly #sessionId = randomUUID();
  readonly #driven: DrivenTurns;
  readonly #agent: WatchfulAgent;
  readonly #turnIds: string[] = [];
  readonly #answers: Promise<unknown>[] = [];
  /** Turns that were to end. */
  readonly #ended = new Set<string>();

  constructor(driven: DrivenTurns, agent: WatchfulAgent) {
    this.#driven = driven;
    this.#agent = agent;
    agent.ran = [];
    agent.isHasty = false;
  }

  async perform(step: Step): Promise<void> {
    const { turns, store } = this.#driven;
    switch (step.do) {
      case "prompt": {
        const asked = { ...REQUEST, sessionId: this.#sessionId, prompt: randomUUID() };
        const started = turns.run(asked, callerNamed(PRINCIPAL));
        return this.#ask(started.then(({ turnId }) => void this.#turnIds.push(turnId)));
      }
      case "ownWork": {
        const place = this.#agent.ran.at(-1)?.place;
        if (place !== undefined) this.#turnIds.push(this.#agent.beginOwnWork(place).turnId);
        return;
      }
      case "delete":
        return this.#ask(
          turns.deleteSession(nameOf(PRINCIPAL, this.#sessionId), callerNamed(PRINCIPAL)),
        );
      case "pass":
        await store.asStore.listRemovals(store.asStore.lease.owner); // What was asked for by now is done.
        return pass();
      case "hold":
        store.isHeld = true;
        return;
      case "settle":
        store.isHeld = false;
        return store.settle();
      case "finish":
        return this.#finish(newest(this.#agent.ran, step.which));
      case "letGo":
        return newest(this.#agent.ran, step.which)?.letGo();
      case "cancel":
        return this.#cancel(newest(this.#turnIds, step.which));
    }
  }

  /** Has everything end, and holds what is left against what there should be. */
  async finish(): Promise<void> {
    const { turns, store } = this.#driven;
    for (const { run, turnId } of this.#agent.ran) {
      if (run.isOver && !this.#ended.has(turnId)) this.#agent.faults.push("a run was stopped");
    }
    await this.perform({ do: "settle" });
    this.#agent.isHasty = true;
    const active = await eventually(
      async () => {
        for (const ran of this.#agent.ran) {
          this.#finish(ran);
          ran.letGo();
        }
        await store.settle();
        return turns.activeSessions;
      },
      (count) => count === 0,
    );
    expect(active).toBe(0);
    await Promise.all(this.#answers);
    const session = await turns
      .getSession(nameOf(PRINCIPAL, this.#sessionId), callerNamed(PRINCIPAL))
      .catch(() => undefined);
    for (const { place } of this.#agent.ran.filter(({ run }) => run.isRead)) {
      const isThere = existsSync(place.workspace);
      if (isThere !== (place.workspace === session?.workspace)) {
        this.#agent.faults.push(`a workspace is ${isThere ? "left" : "gone"}`);
      }
    }
  }

  #finish(ran: Ran | undefined): void {
    if (ran === undefined) return;
    this.#ended.add(ran.turnId);
    ran.run.give([result()]);
    ran.run.leave();
  }

  #cancel(turnId: string | undefined): void {
    if (turnId === undefined) return;
    this.#ended.add(turnId);
    this.#ask(this.#driven.turns.cancel(turnId, callerNamed(PRINCIPAL)));
  }

  #ask(answer: Promise<unknown>): void {
    const isExpected = (error: unknown) => error instanceof Refusal && EXPECTED.has(error.reason);
    const note = (error: unknown) => {
      if (!isExpected(error)) this.#agent.faults.push(String(error));
    };
    this.#answers.push(answer.catch(note));
  }
}

const EXPECTED = new Set(["TURN_IN_PROGRESS", "NOT_FOUND"]);

/** The newest thing, or one before it. */
function newest<T>(things: readonly T[], index: number): T | undefined {
  return things.at(-1 - (index % Math.max(1, things.length)));
}

describe("sessions of one id, deleted and opened again", () => {
  it("never start a turn beside another's processes, and are removed without touching the next", async () => {
    const agent = new WatchfulAgent();
    await using driven = await startDrivenTurns({}, agent);
    const property = fc.asyncProperty(anySteps, async (steps) => {
      const session = new SessionUnderTest(driven, agent);
      for (const step of steps) await session.perform(step);
      await session.finish();
      expect(agent.faults).toEqual([]);
    });
    await fc.assert(property, { numRuns: 60, endOnFailure: true, timeout: 20_000 });
    // Or it would have shown nothing.
    expect(agent.forgotten.length).toBeGreaterThan(1);
  });
});
