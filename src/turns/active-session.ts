import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { OwnWork } from "../agent/agent.ts";
import { Refusal } from "../errors.ts";
import type { StartedTurn } from "../store/writes.ts";
import type { RunRequest } from "../turn-requests.ts";
import { newTurnId } from "./identifiers.ts";
import type { LeftTurn } from "./left-turn.ts";
import type { TurnBeginning } from "./run-beginning.ts";
import { RunningTurn } from "./running-turn.ts";
import { boundsOf, TurnSpending } from "./turn-spending.ts";
import { ownStart, withAudit } from "./turn-start.ts";
import type { TurnLimits, TurnSurroundings } from "./turn-surroundings.ts";
import type { UnendedTurn, UnendedTurns } from "./unended-turns.ts";
import { yieldToPrompt } from "./yield-to-prompt.ts";

/** Where a session stands. */
type SessionPhase =
  | { readonly is: "idle" }
  /** A turn has no end on record. It may wait for processes of the one before. */
  | { readonly is: "running"; readonly turn: UnendedTurn }
  /** The agent's own turn has no end on record; a caller's may be queued behind it. */
  | {
      readonly is: "atOwnWork";
      readonly turn: UnendedTurn;
      readonly queued: UnendedTurn | undefined;
    }
  /** No turn is left, but processes of one. */
  | { readonly is: "ending" }
  /** It is off the record, and what it has left is being removed. */
  | { readonly is: "beingRemoved"; readonly removed: Promise<boolean> };

/** What a caller asks of a turn, beside what is on record. */
type AskedTurn = Pick<RunRequest, "prompt" | "attachments" | "recall" | "trace"> & AskedLimits;

/** What of its limits a caller sets. */
type AskedLimits = Pick<RunRequest, "timeoutMs" | "maxCostUsd" | "maxModelTurns">;

/** What the turns of sessions are run with. */
export interface SessionSurroundings extends TurnSurroundings {
  readonly limits: TurnLimits;
  readonly unended: UnendedTurns;
}

/**
 * One session, while something of it is active: what runs in it, what has to be over before the next thing may, and its
 * removal.
 *
 * 1. No agent starts in it before nothing runs on of what ran in it, but for what the agent keeps for it.
 * 2. A prompt that met the agent's own turn waits for its end too, and the agent's own turn makes way for it.
 * 3. What the agent does by itself becomes turns one after the other, each when the end of the one before is on disk.
 * 4. It is removed once, and what it has left is touched only when no process works for it any more.
 * 5. Nothing of another session is touched: one that is opened under its id later has a key, and an object, of its own.
 */
export class ActiveSession {
  readonly #key: string;
  readonly #surroundings: SessionSurroundings;
  readonly #forget: () => void;
  #phase: SessionPhase = { is: "idle" };
  /** Resolves when nothing runs on of what ran in it. Undefined: nothing does. */
  #vacated: Promise<void> | undefined;
  /** Resolves when what the agent began by itself has become turns or was declined. Undefined: it has. */
  #ownWork: Promise<void> | undefined;

  /**
   * @param key - The session's `sessionKey`.
   * @param forget - Called when nothing of it is active any more: whoever wants it then makes another.
   */
  constructor(key: string, surroundings: SessionSurroundings, forget: () => void) {
    this.#key = key;
    this.#surroundings = surroundings;
    this.#forget = forget;
  }

  /** Resolves when nothing runs on of what ran in it by now. Never rejects. */
  get vacated(): Promise<void> {
    return this.#vacated ?? Promise.resolve();
  }

  /** Begins a caller's turn that is on record: at once, or when what it waits for is over. */
  begin(started: StartedTurn, request: AskedTurn): RunningTurn {
    const { turn } = started;
    // The agent's own turn may have ended since.
    const own = turn.state === TurnState.QUEUED ? this.#turn : undefined;
    const ready = Promise.all([this.vacated, own?.ended]); // 1. 2.
    const { prompt, attachments, recall, trace } = request;
    const running = this.#run(started, request, { ready, prompt, attachments, recall, trace });
    this.#enter(running, behind(own, running));
    if (own instanceof RunningTurn) void yieldToPrompt(own, running); // 2.
    return running;
  }

  /** The agent has begun to work in it by itself: that becomes a turn. Answers with its id. */
  beginOwnWork(work: OwnWork): string {
    const turnId = newTurnId();
    const recorded = this.#ownWork ?? Promise.resolve();
    const ownWork = recorded.then(() => this.#runOwnWork(turnId, work)); // 3.
    this.#ownWork = ownWork;
    void ownWork.then(() => {
      if (this.#ownWork === ownWork) this.#ownWork = undefined;
      this.#forgetIfIdle();
    });
    return turnId;
  }

  /** Takes over a turn that a server before this one left: it only waits for its end to be recorded. */
  takeOver(turn: LeftTurn, wasQueued: boolean): void {
    this.#enter(turn, behind(wasQueued ? this.#turn : undefined, turn));
  }

  /** A process works in it that a server before this one left. `gone` resolves when it is gone, and never rejects. */
  awaitProcess(gone: Promise<void>): void {
    this.#occupy(gone);
    if (this.#phase.is === "idle") this.#phase = { is: "ending" };
  }

  /**
   * Removes what it has left, once it is off the record and its processes are gone; answers as `removeFiles` does. Where
   * that goes on, this only waits for it.
   *
   * @param removeFiles - Never rejects.
   */
  remove(removeFiles: () => Promise<boolean>): Promise<boolean> {
    if (this.#phase.is === "beingRemoved") return this.#phase.removed; // 4.
    const removed = this.#remove(removeFiles);
    this.#phase = { is: "beingRemoved", removed };
    void removed.then(() => this.#rest());
    return removed;
  }

  async #remove(removeFiles: () => Promise<boolean>): Promise<boolean> {
    // 4. The last turn's processes may still be ending, and write; what the agent keeps for the session may too.
    await this.vacated;
    await this.#surroundings.agents.close(this.#key);
    return removeFiles();
  }

  async #runOwnWork(turnId: string, work: OwnWork): Promise<void> {
    const { agents, log, audit, unended } = this.#surroundings;
    try {
      // 3. The turn before may have ended in the same breath: only once that is on disk there is room for another.
      await unended.get(work.lastTurnId)?.ended;
      const start = ownStart(turnId, work, unended.refusalOfOwn());
      await unended.create(withAudit(start, audit.started(start)), (started) =>
        this.#beginOwn(started, work),
      );
    } catch (error) {
      // A prompt came first, the session is going, or the server: the work is part of what comes next, if anything does.
      work.decline();
      const isPrompt = error instanceof Refusal && error.reason === "TURN_IN_PROGRESS";
      if (isPrompt) return;
      const { sessionKey } = work;
      log.warn("an agent began to work by itself and cannot go on", { sessionKey, error });
      await agents.close(this.#key); // 5.
    }
  }

  #beginOwn(started: StartedTurn, { run }: OwnWork): RunningTurn {
    const own = this.#run(started, { timeoutMs: undefined }, { run });
    this.#enter(own, { is: "atOwnWork", turn: own, queued: undefined });
    return own;
  }

  #run(started: StartedTurn, asked: AskedLimits, beginning: TurnBeginning): RunningTurn {
    const { limits, days } = this.#surroundings;
    const timeoutMs = Math.min(asked.timeoutMs ?? Infinity, limits.timeoutMs);
    const bounds = boundsOf(limits, asked);
    const { turn, session } = started;
    const running = new RunningTurn(
      ...([turn, session, { ...limits, timeoutMs }] as const),
      (reached) => new TurnSpending(started, bounds, days, reached),
      ...([this.#surroundings, beginning] as const),
    );
    this.#occupy(running.released);
    return running;
  }

  /** What runs now, as far as it has no end on record. */
  get #turn(): UnendedTurn | undefined {
    return "turn" in this.#phase ? this.#phase.turn : undefined;
  }

  /** A turn is the session's from now on, until it has ended. */
  #enter(turn: UnendedTurn, phase: SessionPhase): void {
    this.#phase = phase;
    void turn.ended.then(() => this.#leave(turn));
  }

  /** A turn has its end on record. By now another may have come in its place: the store is the first to know. */
  #leave(turn: UnendedTurn): void {
    const phase = this.#phase;
    if (phase.is === "atOwnWork" && phase.queued === turn) {
      this.#phase = { ...phase, queued: undefined };
    } else if ("turn" in phase && phase.turn === turn) {
      const next = phase.is === "atOwnWork" ? phase.queued : undefined;
      if (next === undefined) this.#rest();
      else this.#phase = { is: "running", turn: next };
    }
  }

  /** Nothing is to be run or removed in it now. */
  #rest(): void {
    this.#phase = { is: this.#vacated === undefined ? "idle" : "ending" };
    this.#forgetIfIdle();
  }

  /** Has the session wait for something that runs in it. */
  #occupy(until: Promise<void>): void {
    const vacated = Promise.all([this.#vacated, until]).then(() => {
      if (this.#vacated !== vacated) return;
      this.#vacated = undefined;
      if (this.#phase.is === "ending") this.#rest();
    });
    this.#vacated = vacated;
  }

  #forgetIfIdle(): void {
    if (this.#phase.is === "idle" && this.#ownWork === undefined) this.#forget();
  }
}

/** A turn runs, or waits for the agent's own. */
function behind(own: UnendedTurn | undefined, turn: UnendedTurn): SessionPhase {
  if (own === undefined) return { is: "running", turn };
  return { is: "atOwnWork", turn: own, queued: turn };
}
