import { randomUUID } from "node:crypto";
import { ErrorReason, NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { Refusal } from "../../errors.ts";
import { explainExhaustion } from "../../exhaustion.ts";
import type { MemoryBudget } from "../../stream/memory-budget.ts";
import type { AgentRun, AgentTurn, ApprovalAnswer, EventKind, Spending } from "../agent.ts";
import { Handover } from "../handover.ts";
import type { ClaudeRunOptions } from "./claude-agent.ts";
import type { ProcessExit } from "./claude-process.ts";
import { type Opening, userMessage } from "./command-line.ts";
import { configDirectory, conversationOrigin } from "./config-directory.ts";
import type { Conversation, TurnReader } from "./conversation.ts";
import type { Conversations, Fate } from "./conversations.ts";
import { DefinitionRefusal } from "./definition-refusal.ts";
import { errorEvent, noticeEvent } from "./events.ts";
import { explainExit, explainStartError, isSessionInUse } from "./failures.ts";
import { weightOf } from "./interlude.ts";
import type { Message } from "./line.ts";
import type { RefusalCause } from "./malformed.ts";
import type { ResultMessage } from "./messages.ts";
import { isAborted } from "./result.ts";
import { SentMessages } from "./sent-messages.ts";
import { ToolQuestions } from "./tool-questions.ts";
import { ClaudeTranslation, type ResultRole } from "./translation.ts";
import { WorkspaceError } from "./workspace.ts";

/** A warm CLI begins a turn within some 10 ms; one that prints nothing for so long hangs. */
const TAKE_MS = 10_000;
/** An idle one gives a message back within a few milliseconds. */
const WITHDRAW_MS = 1000;

/** So many calls of tools are followed at a time; a model makes a handful. */
const MAX_OPEN_TOOLS = 1000;
/** Above that nothing more is read until the turn has dealt with what it has, disk included. */
const LARGE_BATCH_BYTES = 1024 * 1024;

/** What became of giving the turn to a process. Untaken: it printed nothing of the turn, and has done nothing. */
type Outcome = "ended" | "untaken" | "other opening";

/** What a run is told of its surroundings. */
export interface ClaudeRunSurroundings {
  readonly conversations: Conversations;
  readonly options: ClaudeRunOptions;
}

/**
 * One turn of the Claude Code CLI, in a process that is there or one of its own.
 *
 * 1. A prompt is given to a second process only where the first printed nothing of it, and is gone.
 * 2. Exactly one terminal event is given, and nothing after it.
 * 3. After it nothing of the conversation is touched any more, but by `stop`.
 */
export class ClaudeRun implements AgentRun, TurnReader {
  readonly #batches = new Handover<EventKind[]>(
    () => this.#conversation?.resume(),
    (batch) => this.#giveBack(batch),
  );
  /** What the batches that were given, and not yet dealt with, count in the process's memory. */
  readonly #given = new Map<EventKind[], { memory: MemoryBudget; bytes: number }>();
  /** What the next one will. */
  #batchBytes = 0;
  readonly events: AsyncIterable<EventKind[]> = this.#batches;
  readonly released: Promise<void>;
  readonly #agent: string;
  #agentSessionId: string;
  readonly #surroundings: ClaudeRunSurroundings;
  readonly #reportReleased: (until: void | Promise<void>) => void;
  #conversation: Conversation | undefined;
  #translation: ClaudeTranslation | undefined;
  readonly #sent: SentMessages;
  #questions: ToolQuestions | undefined;
  #settle: (outcome: Outcome) => void = () => {};
  #correctable = false;
  #batch: EventKind[] = [];
  /** Events of the time between the turns, which come behind this one's `session`. */
  #carried: EventKind[] = [];
  /** Calls of tools that have not been answered. */
  readonly #openTools = new Set<string>();
  #lines = 0;
  #printed = false;
  /** Its process was there before it. */
  #isWarm = false;
  /** It has begun to work: from then on it hears an interrupt. */
  #begun = false;
  #interrupting = false;
  #stopped = false;
  #ended = false;
  /** It gave up for a reason of its own, or spoke out of turn. */
  #broken = false;

  private constructor(
    agent: string,
    agentSessionId: string,
    hasPrompt: boolean,
    surroundings: ClaudeRunSurroundings,
  ) {
    this.#sent = new SentMessages(hasPrompt);
    this.#agent = agent;
    this.#agentSessionId = agentSessionId;
    this.#surroundings = surroundings;
    const released = Promise.withResolvers<void>();
    this.released = released.promise;
    this.#reportReleased = released.resolve;
  }

  /** Begins a turn that was asked for. */
  static start(turn: AgentTurn, surroundings: ClaudeRunSurroundings): ClaudeRun {
    const run = new ClaudeRun(turn.agent, turn.agentSessionId, true, surroundings);
    void run.#start(turn);
    return run;
  }

  /** Takes up work that a conversation begins by itself; until `begin` it gives nothing. */
  static ofOwnWork(conversation: Conversation, surroundings: ClaudeRunSurroundings): ClaudeRun {
    const { agent, agentSessionId } = conversation.place;
    const run = new ClaudeRun(agent, agentSessionId, false, surroundings);
    run.#begun = true;
    run.#attach(conversation);
    return run;
  }

  /** Begins to take what its conversation prints, under a turn's id. */
  begin(turnId: string): void {
    const carried = this.#conversation!.begin(this, turnId);
    this.#carried.push(...carried);
    this.#charge(weightOf(...carried));
  }

  get agentSessionId(): string {
    return this.#translation?.agentSessionId ?? this.#agentSessionId;
  }

  get spending(): Spending {
    return this.#translation?.spending ?? { totalCostUsd: 0 };
  }

  get waitsForModel(): boolean {
    return this.#begun && this.#openTools.size === 0 && this.#questions?.isEmpty !== false;
  }

  interrupt(): void {
    this.#interrupting = true;
    if (this.#begun) this.#interruptNow();
  }

  steer(message: string): boolean {
    if (this.#ended || this.#stopped) return false;
    const uuid = this.#sent.add();
    const line = userMessage(uuid, message);
    this.#sent.keep(line);
    if (this.#sent.promptWritten) this.#conversation!.write(line);
    return true;
  }

  answer(approvalId: string, answer: ApprovalAnswer): void {
    this.#questions?.answer(approvalId, answer);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    // Whether or not anyone reads on: its end has to be seen.
    this.#conversation?.resume();
    await this.#conversation?.close();
    await this.released;
  }

  /** Gives back what was not read: it becomes part of the conversation's next turn. Idempotent. */
  decline(): void {
    const unread = [...this.#batches.takeBack().flat(), ...this.#batch.splice(0)];
    this.#forgetBytes();
    this.#questions?.refuseAll();
    this.#batches.end();
    this.#ended = true;
    this.#conversation?.release(this, unread);
    this.#reportReleased();
  }

  message(message: Message, line: string): void {
    this.#note(line.length);
    if (message.subtype === "init") this.#begin();
    const first = this.#batch.length;
    this.#translation!.take(message, line, this.#batch);
    for (let i = first; i < this.#batch.length; i++) this.#followTool(this.#batch[i]!);
    // What follows in the same piece is not this turn's.
    if (this.#translation!.ended) this.flush();
  }

  malformed(line: string): void {
    this.#note(0);
    this.#translation!.malformed(line, this.#batch);
  }

  refused(bytes: number, cause: RefusalCause): void {
    this.#note(0);
    // It may have been the echo of a message of that length.
    this.#sent.takeOldest();
    this.#translation!.skipped(bytes, cause, this.#batch);
  }

  distrusted(why: string): void {
    this.#note(0);
    const text = `The agent ${why}, and is ended`;
    if (!this.#translation!.ended) this.#batch.push(noticeEvent(NoticeReason.AGENT_WARNING, text));
  }

  taken(uuid: string): void {
    this.#note(0);
    if (this.#sent.take(uuid)) this.#begin();
  }

  asked(message: Message, line: string): void {
    this.#note(line.length);
    // What has ended asks nobody.
    if (!this.#translation!.ended) this.#questions!.ask(message, line, this.#batch);
  }

  withdrawn(requestId: string): void {
    this.#note(0);
    this.#questions!.withdraw(requestId, this.#batch);
  }

  strayed(message: Message, line: string): void {
    if (this.#begun) {
      this.message(message, line);
      return;
    }
    // Not this turn's; what else is in the process nobody knows.
    this.#broken = true;
    void this.#takeBack();
  }

  flush(): void {
    if (this.#lines === 0) return;
    this.#lines = 0;
    if (this.#translation!.conversationUnknown) {
      this.#forgetBytes();
      return;
    }
    const batch = this.#withCarried(this.#batch);
    this.#batch = [];
    if (this.#translation!.ended) this.#finish(batch);
    else {
      this.#give(batch);
      if (this.#mustWait && !this.#stopped) this.#conversation!.pause();
    }
  }

  /** The turn has something to take, or is still at what it took last, and that is large. */
  get #mustWait(): boolean {
    const bytes = this.#given.values().reduce((sum, each) => sum + each.bytes, 0);
    return this.#batches.isFull || bytes > LARGE_BATCH_BYTES;
  }

  #give(batch: EventKind[]): void {
    this.#given.set(batch, { memory: this.#conversation!.memory.lines, bytes: this.#batchBytes });
    this.#batchBytes = 0;
    this.#batches.give(batch);
  }

  #giveBack(batch: EventKind[]): void {
    const given = this.#given.get(batch);
    given?.memory.giveBack(given.bytes);
    this.#given.delete(batch);
  }

  #forgetBytes(): void {
    this.#conversation?.memory.lines.giveBack(this.#batchBytes);
    this.#batchBytes = 0;
  }

  #charge(bytes: number): void {
    this.#batchBytes += bytes;
    this.#conversation!.memory.lines.charge(bytes);
  }

  ended(exit: ProcessExit): void {
    const translation = this.#translation!;
    const { stderrTail, opening } = this.#conversation!;
    const inUse = opening === "new" && isSessionInUse(stderrTail) && !translation.initialized;
    const isWrong = translation.conversationUnknown || inUse;
    if (this.#correctable && !this.#stopped && isWrong) this.#settle("other opening");
    else if (!this.#begun && this.#isWarm && !this.#stopped) {
      this.#settle("untaken");
    } else this.#finish(this.#withCarried([...this.#batch, this.#explain(exit)]));
  }

  async #start(turn: AgentTurn): Promise<void> {
    try {
      const warm = await this.#surroundings.conversations.take(turn);
      if (warm !== undefined && (await this.#attempt(warm, turn, true)) !== "untaken") return;
      if (warm !== undefined) await this.#replace(warm);
      await this.#startFresh(turn);
    } catch (error) {
      const refused = this.#explainRefused(error as Error);
      if (refused === undefined) this.#batches.end(error as Error);
      else this.#fail(refused);
      this.#reportReleased(this.#conversation?.close());
    }
  }

  /** Why no process could be given the turn. Undefined: by a defect. */
  #explainRefused(error: Error): EventKind | undefined {
    if (error instanceof Refusal)
      return { case: "error", value: errorEvent(ErrorReason.STORAGE, error.message) };
    if (error instanceof DefinitionRefusal)
      return { case: "error", value: errorEvent(ErrorReason.AGENT_START_FAILED, error.message) };
    const isStart = error instanceof WorkspaceError || explainExhaustion(error) !== undefined;
    if (!isStart) return undefined;
    return {
      case: "error",
      value: explainStartError(error, this.#surroundings.options.command),
    };
  }

  /** The turn ends before a process has it. */
  #fail(end: EventKind): void {
    this.#ended = true;
    this.#batches.give([end]);
    this.#batches.end();
    this.#reportReleased();
  }

  /** What the CLI says of its own conversations counts for more than what its disk looked like. */
  async #startFresh(turn: AgentTurn): Promise<void> {
    this.#correctable = true;
    const first = await this.#place(turn);
    if ((await this.#open(first.turn, first.opening)) !== "other opening") return;
    await this.#conversation?.close();
    this.#correctable = false;
    const second = await this.#place(turn, first.opening === "new" ? "resume" : "new");
    await this.#open(second.turn, second.opening);
  }

  /**
   * The turn, and how its conversation is taken up. One that the CLI has on disk from somebody else is not: the agent would
   * remember what is not this session's. Then it is another, empty one.
   *
   * @param known - What the CLI says it takes. Undefined: it has not been asked.
   */
  async #place(turn: AgentTurn, known?: Opening): Promise<{ turn: AgentTurn; opening: Opening }> {
    const directory = configDirectory(this.#surroundings.options.environment);
    const { agentSessionId, workspace } = turn;
    const origin = await conversationOrigin(directory, agentSessionId, workspace);
    if (origin !== "foreign") {
      return { turn, opening: known ?? (origin === undefined ? "new" : "resume") };
    }
    this.#agentSessionId = randomUUID();
    const text =
      "The record that the agent has of the session's conversation was begun in another directory: it is not this session's, and the agent began an empty conversation";
    this.#carried.unshift(noticeEvent(NoticeReason.CONVERSATION_RESET, text));
    return { turn: { ...turn, agentSessionId: this.#agentSessionId }, opening: "new" };
  }

  async #open(turn: AgentTurn, opening: Opening): Promise<Outcome> {
    if (this.#stopped) return this.#abandon();
    const conversation = await this.#surroundings.conversations.open(turn, opening);
    return this.#attempt(conversation, turn, false);
  }

  /** Nothing was started, and the turn is to stop. */
  #abandon(): Outcome {
    this.#ended = true;
    this.#batches.end();
    this.#reportReleased();
    return "ended";
  }

  /** Gives the turn to a process. Resolves once it has ended, or is known not to have begun. */
  async #attempt(conversation: Conversation, turn: AgentTurn, isWarm: boolean): Promise<Outcome> {
    const outcome = Promise.withResolvers<Outcome>();
    this.#settle = outcome.resolve;
    this.#isWarm = isWarm;
    this.#sent.beginPrompt();
    this.#attach(conversation);
    this.begin(turn.turnId);
    if (this.#stopped) void conversation.close();
    // Work of its own that no turn has taken up becomes part of this one.
    this.#begun = conversation.isAtWork;
    conversation.write(userMessage(this.#sent.promptUuid, turn.prompt, turn.images, turn.files));
    conversation.write(this.#sent.takeKept());
    const timer = this.#isWarm ? setTimeout(() => void this.#takeBack(true), TAKE_MS) : undefined;
    try {
      return await outcome.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #attach(conversation: Conversation): void {
    const asked: EventKind[] = [];
    this.#questions?.close(asked);
    this.#forgetBytes();
    this.#conversation = conversation;
    this.#questions = new ToolQuestions(conversation);
    this.#translation = new ClaudeTranslation({
      agent: this.#agent,
      resumed: conversation.remembers,
      costs: conversation.costs,
      roleOf: (result) => this.#roleOf(result),
    });
    // Nobody waits any more for what another process asked.
    this.#batch = asked;
    this.#lines = 0;
    this.#printed = false;
    this.#broken = false;
  }

  /**
   * Has the process give the prompt back, and ends it: what it does not give back it may yet begin, and then the turn is
   * its. Nothing else is asked of a process that has hung: it is killed, and what it printed until then tells.
   */
  async #takeBack(hangs = false): Promise<void> {
    if (this.#begun) return;
    const conversation = this.#conversation!;
    const withdrawal = {
      subtype: "cancel_async_message",
      message_uuid: this.#sent.promptUuid,
    } as const;
    const answer = await conversation.control(withdrawal, WITHDRAW_MS);
    if (this.#begun || this.#ended || (answer?.cancelled !== true && !hangs)) return;
    conversation.killNow();
    void conversation.close();
  }

  /** The process took nothing of the turn: it is ended, wholly, before another one gets it. */
  async #replace(conversation: Conversation): Promise<void> {
    await conversation.close();
    const text =
      "The session's process did not take the prompt and was replaced; a fresh one goes on with the conversation";
    this.#carried.unshift(noticeEvent(NoticeReason.AGENT_REPLACED, text));
  }

  /** @param bytes - What the events of it hold, about: as much as the line. */
  #note(bytes: number): void {
    this.#lines++;
    this.#charge(bytes);
    this.#printed = true;
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    if (this.#interrupting) this.#interruptNow();
  }

  /** What was sent and not taken up would be worked on after the interrupt. */
  #interruptNow(): void {
    const conversation = this.#conversation!;
    for (const uuid of this.#sent.waiting) {
      void conversation.control({ subtype: "cancel_async_message", message_uuid: uuid });
    }
    void conversation.control({ subtype: "interrupt" });
  }

  #roleOf(result: ResultMessage): ResultRole {
    if (this.#interrupting && isAborted(result)) return "interrupted";
    // The prompt came while the agent was at work by itself, and waits behind that.
    if (result.origin && this.#sent.promptWaits) return "more";
    if (this.#sent.echoes && this.#sent.waiting.length > 0) return "more";
    this.#broken ||= isAborted(result);
    return "end";
  }

  #followTool(event: EventKind): void {
    if (event.case === "tool" && this.#openTools.size < MAX_OPEN_TOOLS) {
      this.#openTools.add(event.value.toolId);
    }
    if (event.case === "toolResult") this.#openTools.delete(event.value.toolId);
  }

  /** Puts what came between the turns behind the `session` event; before it only notices may come. */
  #withCarried(batch: EventKind[]): EventKind[] {
    if (this.#carried.length === 0) return batch;
    const session = batch.findIndex((event) => event.case === "session");
    const isOver = this.#translation?.ended !== false || this.#ended;
    if (session === -1 && !isOver) return batch;
    const carried = this.#carried.filter(({ case: kind }) => session !== -1 || kind === "notice");
    this.#carried = [];
    return batch.toSpliced(session + 1, 0, ...carried);
  }

  /** Gives the last batch, and leaves the conversation to the next turn or to its end. */
  #finish(last: EventKind[]): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#questions!.close([]);
    this.#give(last);
    this.#batches.end();
    const conversation = this.#conversation!;
    conversation.release(this);
    this.#reportReleased(
      this.#surroundings.conversations.settle(conversation, this.#fateOf(last.at(-1)!)),
    );
    this.#settle("ended");
  }

  /** What is to become of the process: where there is any doubt about its state it takes no other turn. */
  #fateOf(end: EventKind): Fate {
    const isSound = end.case === "result" || !this.#translation!.agentUnknown;
    if (this.#stopped || !isSound) return "end";
    if (this.#broken || this.agentSessionId !== this.#conversation!.place.agentSessionId) {
      return "finish";
    }
    return end.case === "result" || this.#interrupting ? "keep" : "end";
  }

  #explain(exit: ProcessExit): EventKind {
    const { command } = this.#surroundings.options;
    if (exit.startError !== undefined) {
      return { case: "error", value: explainStartError(exit.startError, command) };
    }
    const { understood, initialized } = this.#translation!;
    const { stderrTail } = this.#conversation!;
    const facts = { stderrTail, understood, initialized, agent: this.#agent };
    const value = explainExit({ ...exit, ...facts, printed: this.#printed });
    return { case: "error", value: { ...value, ...this.spending } };
  }
}
