import { setImmediate as nextLoop } from "node:timers/promises";
import type { Log } from "../../log.ts";
import { AskedThread, workerBeside } from "../../stream/asked-thread.ts";
import { type PeerAnswer, PeerLooks, type PeerQuestion } from "./peer-looks.ts";
import {
  type KnownProcess,
  type Look,
  type LookAnswer,
  ProcessLooks,
  type StrayQuestion,
} from "./process-looks.ts";
import { answerOther, type StrayAnswer, type WatchAnswer, type WatchCall } from "./watch-calls.ts";

/** How long looks are taken without the thread where it failed, before another one is tried. */
const THREAD_AGAIN_MS = 10_000;

/**
 * Answers looks at the process table from a thread of its own, which keeps the process alive while a look is asked for.
 * Should the thread fail, looks are taken in this one for a while: slower, but none is lost.
 */
export class ProcessWatch {
  readonly #log: Log;
  readonly #thread = new AskedThread<WatchCall, WatchAnswer>(
    workerBeside(import.meta.url, "look-worker"),
    {
      limits: { maxYoungGenerationSizeMb: 4 },
      // One reading serves all who have asked by then.
      atOnce: Number.POSITIVE_INFINITY,
      // By the time that it is needed none may be to be had.
      isKept: true,
      isWaitedFor: true,
    },
  );
  readonly #looksHere = new LooksHere();
  readonly #otherLooks = new ProcessLooks();
  readonly #peersHere = new PeerLooks(this.#otherLooks);
  #hereUntil = 0;
  #isBlind = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Starts the thread ahead of the first look, which then need not wait for it. */
  prepare(): void {
    try {
      this.#thread.prepare();
    } catch (error) {
      this.#lose(error);
    }
  }

  /**
   * The members of a family that live; each was sent the look's signal. Undefined: nobody could be looked for, for want of
   * file descriptors, and nobody was signaled. Never rejects.
   */
  async look(look: Look): Promise<readonly KnownProcess[] | undefined> {
    const { members, failure } = await this.#answer(look);
    this.#tellBlindness(failure);
    return members;
  }

  /** Gives up what it looks with: nothing is left to look for. */
  end(): void {
    this.#thread.end();
  }

  /** Who is at the other ends of connections. Never rejects. */
  lookForPeers(question: PeerQuestion): Promise<PeerAnswer> {
    return this.#ask(question) as Promise<PeerAnswer>;
  }

  /** Kills strays, and answers who they were. Undefined: nobody could be looked for. Never rejects. */
  killStrays(question: StrayQuestion): Promise<StrayAnswer> {
    return this.#ask(question) as Promise<StrayAnswer>;
  }

  async #ask(question: PeerQuestion | StrayQuestion): Promise<WatchAnswer> {
    if (!this.#isLost) {
      try {
        return await this.#thread.ask(question);
      } catch (error) {
        this.#lose(error);
      }
    }
    return answerOther(question, this.#otherLooks, this.#peersHere);
  }

  async #answer(look: Look): Promise<LookAnswer> {
    if (!this.#isLost) {
      try {
        return (await this.#thread.ask(look)) as LookAnswer;
      } catch (error) {
        this.#lose(error);
      }
    }
    return this.#looksHere.answer(look);
  }

  get #isLost(): boolean {
    return performance.now() < this.#hereUntil;
  }

  /** Told once, whatever the number of looks that the thread had. */
  #lose(error: unknown): void {
    if (this.#isLost) return;
    this.#log.error("the thread that watches processes failed", { error });
    this.#hereUntil = performance.now() + THREAD_AGAIN_MS;
  }

  /** Once, not with each of the looks that follow. */
  #tellBlindness(failure: string | undefined): void {
    const isBlind = failure !== undefined;
    if (isBlind === this.#isBlind) return;
    this.#isBlind = isBlind;
    if (!isBlind) this.#log.info("processes can be looked for again");
    else
      this.#log.error("processes cannot be looked for: no stop is over until they can", {
        failure,
      });
  }
}

/** Takes looks in this thread; here, too, one reading serves all who have asked by then. */
class LooksHere {
  readonly #looks = new ProcessLooks();
  #asked: Look[] = [];
  #answers: Promise<readonly LookAnswer[]> | undefined;

  async answer(look: Look): Promise<LookAnswer> {
    const index = this.#asked.push(look) - 1;
    this.#answers ??= this.#take();
    const answers = await this.#answers;
    return answers[index]!;
  }

  async #take(): Promise<readonly LookAnswer[]> {
    await nextLoop();
    const asked = this.#asked;
    this.#asked = [];
    this.#answers = undefined;
    return this.#looks.take(asked);
  }
}
