import type { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { AgentTurn, OwnWork, SparePlace } from "../agent.ts";
import { OutputScheduler } from "../output-scheduler.ts";
import { AgentMemory } from "./agent-memory.ts";
import type { ClaudeRunOptions } from "./claude-agent.ts";
import { ClaudeRun } from "./claude-run.ts";
import type { ConversationPlace, Opening } from "./command-line.ts";
import { Conversation, type ConversationKeeper } from "./conversation.ts";
import { Interlude } from "./interlude.ts";
import { LeftEvents } from "./left-events.ts";
import { Spares } from "./spares.ts";

/** After its result a CLI with nothing left to do needs 20 to 50 ms to exit; what its background needs is not known. */
const LINGER_MS = 5000;

/**
 * What becomes of a process behind its turn: it is kept for the next one, finishes what it does and exits, or is ended.
 */
export type Fate = "keep" | "finish" | "end";

/**
 * The processes of the CLI, by the session that each belongs to.
 *
 * 1. A session has at most one.
 * 2. At most `maxWarmProcesses` that no turn is using are kept, the least recently used going first, and among them those
 *    without tasks in the background before the others.
 * 3. Once it is closing, none is kept.
 */
export class Conversations implements ConversationKeeper {
  readonly #options: ClaudeRunOptions;
  /** In the order in which they were last used. */
  readonly #bySession = new Map<string, Conversation>();
  readonly #all = new Set<Conversation>();
  readonly #memory: AgentMemory;
  readonly #left: LeftEvents;
  readonly #scheduler = new OutputScheduler();
  /** Work of its own that each has begun since it last took a turn, oldest first; some may not have been taken up. */
  readonly #ownWork = new Map<Conversation, Set<ClaudeRun>>();
  readonly #idleTimers = new Map<Conversation, NodeJS.Timeout>();
  readonly #spares: Spares;
  #takeOwnWork: ((work: OwnWork) => string) | undefined;
  #closing = false;

  constructor(options: ClaudeRunOptions) {
    this.#options = options;
    this.#memory = new AgentMemory(options.maxLineBytes);
    this.#left = new LeftEvents(this.#memory.left);
    const open = (place: ConversationPlace) => this.#open(place, "", "new", options.spares.mode);
    this.#spares = new Spares(options, open);
  }

  onOwnWork(take: (work: OwnWork) => string): void {
    this.#takeOwnWork = take;
  }

  reserve(agent: string, model: string, mode: PermissionMode): SparePlace | undefined {
    return this.#spares.reserve(agent, model, mode);
  }

  prepare(makeWorkspace: () => Promise<string>): void {
    this.#spares.prepare(makeWorkspace);
  }

  /** To be called when the rules have changed: none that waits is to have others. */
  renewSpares(): void {
    this.#spares.renew();
  }

  /** The session's process where it can take the turn. Otherwise undefined, once the session has none any more. */
  async take(turn: AgentTurn): Promise<Conversation | undefined> {
    const conversation = this.#bySession.get(turn.sessionId) ?? this.#adopt(turn);
    if (conversation === undefined) return undefined;
    // The turn was recorded first: whoever is asked about the work will decline it.
    for (const work of this.#ownWork.get(conversation) ?? []) work.decline();
    this.#ownWork.delete(conversation);
    const isRuled = conversation.rules === this.#options.rules;
    if (conversation.isIdle && isRuled && fits(conversation, turn)) {
      this.#stopTimer(conversation);
      return conversation;
    }
    await conversation.close();
    return undefined;
  }

  /** Starts a process for a turn. */
  open(turn: AgentTurn, opening: Opening): Promise<Conversation> {
    this.#makeRoom(1);
    return this.#open(turn, turn.sessionId, opening, turn.permissionMode);
  }

  /**
   * Takes a process over from the turn that used it.
   *
   * @returns When the session can take its next turn.
   */
  async settle(conversation: Conversation, fate: Fate): Promise<void> {
    const { maxWarmProcesses, lingerMs = LINGER_MS } = this.#options;
    if (fate === "end") return conversation.close();
    const isKept = fate === "keep" && maxWarmProcesses > 0 && !this.#closing;
    if (!isKept) return conversation.close(lingerMs);
    this.#touch(conversation);
    this.#startTimer(conversation);
    this.#makeRoom(0);
  }

  /** Ends the process of a session that is to be no more. */
  async close(sessionId: string): Promise<void> {
    await this.#bySession.get(sessionId)?.close();
    this.#left.take(sessionId);
  }

  /** Whether a process of another session, or one that waits for a session, was started for a conversation. */
  isAnothers(agentSessionId: string, sessionId: string): boolean {
    return [...this.#all].some(
      (each) => each.place.agentSessionId === agentSessionId && each.sessionId !== sessionId,
    );
  }

  /** Ends the process that waits with a conversation, if one does. */
  closeSpare(agentSessionId: string): Promise<void> {
    return this.#spares.end(agentSessionId);
  }

  /** Ends all that no turn is using; from now on none is kept. */
  async closeIdle(): Promise<void> {
    this.#closing = true;
    const unused = [...this.#all].filter(({ isIdle, isClosing }) => isIdle || isClosing);
    const gone = unused.map((each) => (each.isIdle ? each.close() : each.gone));
    await Promise.all([this.#spares.close(), ...gone]);
  }

  killNow(): void {
    for (const conversation of this.#all) conversation.killNow();
  }

  ownWork(conversation: Conversation): void {
    const run = ClaudeRun.ofOwnWork(conversation, { conversations: this, options: this.#options });
    const works = this.#ownWork.get(conversation) ?? new Set();
    this.#ownWork.set(conversation, works.add(run));
    void run.released.then(() => works.delete(run));
    this.#stopTimer(conversation);
    const { model, agent } = conversation.place;
    const work: OwnWork = {
      sessionId: conversation.sessionId,
      causeTurnId: conversation.tasks.lastCause || conversation.turnId,
      lastTurnId: conversation.turnId,
      model,
      agent,
      permissionMode: conversation.mode,
      run,
      decline: () => {
        run.decline();
        works.delete(run);
        if (conversation.isIdle) this.#startTimer(conversation);
      },
    };
    const turnId = this.#takeOwnWork?.(work);
    if (turnId !== undefined) run.begin(turnId);
  }

  doubted(conversation: Conversation, why: string): void {
    const { sessionId, processId } = conversation;
    this.#options.log.warn(`an agent ${why} and is ended`, { sessionId, processId });
    void conversation.close();
  }

  async #open(
    place: ConversationPlace,
    sessionId: string,
    opening: Opening,
    mode: AgentTurn["permissionMode"],
  ): Promise<Conversation> {
    const { workspace, agentSessionId, model, agent } = place;
    const own = { workspace, agentSessionId, model, agent };
    const memory = this.#memory.process();
    const interlude = new Interlude(agent, memory.interlude);
    interlude.keep(this.#left.take(sessionId));
    const conversation = await Conversation.open(
      own,
      sessionId,
      opening,
      mode,
      this,
      { interlude, memory, scheduler: this.#scheduler },
      this.#options,
    ).catch((error: unknown) => {
      // It is told with the session's next process.
      if (sessionId !== "") this.#left.keep(sessionId, interlude.take());
      memory.close();
      throw error;
    });
    this.#all.add(conversation);
    if (sessionId !== "") this.#touch(conversation);
    void conversation.gone.then(() => this.#forget(conversation));
    return conversation;
  }

  #adopt(turn: AgentTurn): Conversation | undefined {
    const spare = this.#spares.take(turn.agentSessionId);
    if (spare === undefined) return undefined;
    spare.assign(turn.sessionId);
    this.#touch(spare);
    return spare;
  }

  #forget(conversation: Conversation): void {
    this.#stopTimer(conversation);
    this.#all.delete(conversation);
    this.#ownWork.delete(conversation);
    const { sessionId } = conversation;
    const left = conversation.takeLeft();
    if (this.#bySession.get(sessionId) === conversation) this.#bySession.delete(sessionId);
    conversation.memory.close();
    if (sessionId !== "") this.#left.keep(sessionId, left);
  }

  #touch(conversation: Conversation): void {
    this.#bySession.delete(conversation.sessionId);
    this.#bySession.set(conversation.sessionId, conversation);
  }

  /** Ends idle processes until so many more can be kept. */
  #makeRoom(wanted: number): void {
    const { maxWarmProcesses } = this.#options;
    const kept = [...this.#bySession.values()].filter((conversation) => conversation.isIdle);
    const excess = kept.length + wanted - maxWarmProcesses;
    if (excess <= 0) return;
    const atWork = (conversation: Conversation) => Number(conversation.tasks.size > 0);
    const first = kept.toSorted((a, b) => atWork(a) - atWork(b));
    for (const conversation of first.slice(0, excess)) void conversation.close();
  }

  /**
   * A process with tasks in the background is not idle, nor is one whose task has just ended: it takes 2.1.330 some 100 ms
   * to begin what it does about that.
   */
  #startTimer(conversation: Conversation): void {
    this.#stopTimer(conversation);
    const { warmMs } = this.#options;
    const timer = setTimeout(() => {
      // A timer can be a little early.
      const isIdle = conversation.tasks.size === 0 && conversation.silentMs > warmMs - 1;
      if (isIdle) void conversation.close();
      else this.#startTimer(conversation);
    }, warmMs);
    timer.unref();
    this.#idleTimers.set(conversation, timer);
  }

  #stopTimer(conversation: Conversation): void {
    clearTimeout(this.#idleTimers.get(conversation));
    this.#idleTimers.delete(conversation);
  }
}

/**
 * The model cannot be changed in place: the CLI would tell the model of it, in words beside the prompt (measured). Nor can the
 * mode: a process that could go from ASK to BYPASS could be made to by whoever reaches its stdin.
 */
function fits({ place, mode }: Conversation, turn: AgentTurn): boolean {
  return (
    mode === turn.permissionMode &&
    place.agent === turn.agent &&
    place.model === turn.model &&
    place.agentSessionId === turn.agentSessionId &&
    place.workspace === turn.workspace
  );
}
