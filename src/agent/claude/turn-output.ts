import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { ApprovalAnswer } from "../../turn-requests.ts";
import type { EventKind, Spending } from "../agent.ts";
import { noticeEvent } from "../events.ts";
import { weightOf } from "../idle-events.ts";
import { OpenTools } from "../open-tools.ts";
import type { ProcessExit } from "../process/piped-process.ts";
import { RunOutput } from "../run-output.ts";
import { CarriedEvents } from "./carried-events.ts";
import type { Conversation } from "./conversation.ts";
import { CostWatch } from "./cost-watch.ts";
import { explainExit, explainStartError } from "./failures.ts";
import type { ThrownAway } from "./framing.ts";
import type { Message } from "./line.ts";
import type { LineContent } from "./line-content.ts";
import type { RefusalCause } from "./malformed.ts";
import type { ResultMessage } from "./messages.ts";
import { isTaskNotification } from "./task-ends.ts";
import { ToolQuestions } from "./tool-questions.ts";
import { ClaudeTranslation } from "./translation.ts";
import type { TurnReader } from "./turn-reader.ts";
import { interruption, type ResultRole } from "./turn-results.ts";

/** Whose output it is: what its lines mean beside their events. Must not throw. */
export interface TurnListener extends Pick<TurnReader, "cameUp" | "strayed" | "ended"> {
  /** The turn asks for more than there is. */
  wanted(): void;
  /** One of our messages was taken up. Undefined: one of them may have been. */
  takenUp(uuid: string | undefined): void;
  /** What a result means to the turn. */
  roleOf(result: ResultMessage): ResultRole;
  /** A batch is to be given; where the translation has ended it is the last. */
  made(batch: EventKind[]): void;
}

/**
 * What the lines of one turn are made into, batch after batch, with what the turn tells of beside them.
 *
 * 1. What was made of one process's lines and not given yet goes with it: another process's begin anew.
 */
export class TurnOutput implements TurnReader {
  readonly #agent: string;
  readonly #listener: TurnListener;
  readonly #output: RunOutput;
  readonly #tools = new OpenTools();
  readonly #carried = new CarriedEvents();
  #translation: ClaudeTranslation | undefined;
  #questions: ToolQuestions | undefined;
  #conversation: Conversation | undefined;
  #isCostWatched = false;
  #costWatch: CostWatch | undefined;
  #batch: EventKind[] = [];
  #lines = 0;
  #hasPrinted = false;
  #hasSpoken = false;
  #metTask = false;

  /** @param agent - The agent definition that was asked for. */
  constructor(agent: string, listener: TurnListener) {
    this.#agent = agent;
    this.#listener = listener;
    this.#output = new RunOutput(() => listener.wanted());
  }

  /** To be read once. */
  get batches(): AsyncIterable<EventKind[]> {
    return this.#output.batches;
  }

  /** Whether the turn has to take up what it was given before more is read. */
  get mustWait(): boolean {
    return this.#output.mustWait;
  }

  /** What the lines were found to say so far. Undefined: no process has been given the turn. */
  get translation(): ClaudeTranslation | undefined {
    return this.#translation;
  }

  /** What is known so far of usage and cost. */
  get spending(): Spending {
    const told = this.#translation?.spending ?? { totalCostUsd: 0 };
    const watched = this.#costWatch?.costUsd ?? 0;
    return watched > told.totalCostUsd ? { ...told, totalCostUsd: watched } : told;
  }

  /** How many calls of the model have begun to answer. */
  get modelTurns(): number {
    return this.#translation?.modelTurns ?? 0;
  }

  /** Has `spending` tell the cost before there is a result. */
  watchCost(): void {
    this.#isCostWatched = true;
    this.#watchConversation();
  }

  /** Whether a tool runs, or a question waits for an answer. */
  get hasOpenCalls(): boolean {
    return !this.#tools.isEmpty || this.#questions?.isEmpty === false;
  }

  /** Whether the agent has said or done something. */
  get hasSpoken(): boolean {
    return this.#hasSpoken;
  }

  /** Whether a task has ended since the turn began, or since its last result. */
  get metTask(): boolean {
    return this.#metTask;
  }

  /** What it has said by now is no answer to what it takes up now. */
  forgetWords(): void {
    this.#hasSpoken = false;
  }

  /** What comes from now on is of this conversation. */
  attach(conversation: Conversation): void {
    const asked: EventKind[] = [];
    // Nobody waits any more for what another process asked.
    this.#questions?.close(asked);
    this.#conversation = conversation;
    this.#watchConversation();
    // 1.
    this.#output.chargeTo(conversation.memory.lines);
    this.#batch = asked;
    this.#lines = 0;
    this.#hasPrinted = false;
    this.#questions = new ToolQuestions(conversation);
    this.#translation = new ClaudeTranslation({
      agent: this.#agent,
      resumed: conversation.remembers,
      agentSessionId: conversation.setup.agentSessionId,
      costs: conversation.costs,
      taskEnds: conversation.taskEnds,
      serverFailures: conversation.serverFailures,
      roleOf: (result) => this.#listener.roleOf(result),
    });
  }

  /** Tells of the time before the turn, too. */
  carry(events: readonly EventKind[]): void {
    this.#carried.add(events);
    this.#output.charge(weightOf(...events));
  }

  /** Tells of this before all else. */
  carryFirst(event: EventKind): void {
    this.#carried.putFirst(event);
  }

  cameUp(): void {
    this.#listener.cameUp();
  }

  message(message: Message, line: LineContent): void {
    this.#note(line.heldBytes);
    const first = this.#batch.length;
    const calls = this.modelTurns;
    this.#translation!.append(message, line, this.#batch);
    // What a call cost is known behind it: when what it asked for was done, or the next one begins.
    if (message.type === "user" || this.modelTurns > calls) this.#costWatch?.look();
    this.#metTask = message.type !== "result" && (this.#metTask || isTaskNotification(message));
    for (let i = first; i < this.#batch.length; i++) {
      const event = this.#batch[i]!;
      this.#tools.note(event);
      // The result of an interrupted turn may say 0.
      if (event.case === "error") event.value.totalCostUsd = this.spending.totalCostUsd;
      this.#hasSpoken ||= event.case === "text" || event.case === "tool";
    }
    // What follows in the same piece is not this turn's.
    if (this.#translation!.ended) this.flush();
  }

  malformed(thrown: ThrownAway, messages: number): void {
    this.#note();
    this.#translation!.malformed(thrown, messages, this.#batch);
  }

  refused(bytes: number, cause: RefusalCause): void {
    this.#note();
    // It may have been the echo of a message of that length.
    this.#listener.takenUp(undefined);
    this.#translation!.refused(bytes, cause, this.#batch);
  }

  takenUp(uuid: string): void {
    this.#note();
    this.#listener.takenUp(uuid);
  }

  asked(message: Message, line: LineContent): void {
    this.#note(line.heldBytes);
    // What has ended asks nobody.
    if (!this.#translation!.ended) this.#questions!.ask(message, line, this.#batch);
  }

  withdrawn(requestId: string): void {
    this.#note();
    this.#questions!.withdraw(requestId, this.#batch);
  }

  strayed(message: Message, line: LineContent): void {
    this.#listener.strayed(message, line);
  }

  distrusted(why: string): void {
    this.#note();
    if (this.#translation!.ended) return;
    const text = `The agent ${why}, and is ended`;
    this.#batch.push(noticeEvent(NoticeReason.AGENT_WARNING, text));
  }

  flush(): void {
    if (this.#lines === 0) return;
    this.#lines = 0;
    const { conversationUnknown, ended } = this.#translation!;
    if (conversationUnknown) {
      this.#output.discharge();
      return;
    }
    const batch = this.#carried.putInto(this.#batch, ended);
    this.#batch = [];
    this.#listener.made(batch);
  }

  ended(exit: ProcessExit): void {
    this.#listener.ended(exit);
  }

  answer(approvalId: string, answer: ApprovalAnswer): void {
    this.#questions?.answer(approvalId, answer);
  }

  /** What is left to be given, with an event that says why a process ended without a result. */
  explain(exit: ProcessExit, stderrTail: string, command: string): EventKind[] {
    const { understood, initialized } = this.#translation!;
    const printed = this.#hasPrinted;
    const said = { stderrTail, understood, initialized, agent: this.#agent, printed };
    const why =
      exit.startError === undefined
        ? explainExit({ ...exit, ...said })
        : explainStartError(exit.startError, command);
    const end: EventKind = { case: "error", value: { ...why, ...this.spending } };
    this.#translation!.finish(this.#batch);
    return this.#carried.putInto([...this.#batch, end], true);
  }

  /** What is left to be given, with an event that says that a process ended as it was asked to. */
  interrupted(): EventKind[] {
    const end: EventKind = { case: "error", value: interruption(this.spending) };
    this.#translation!.finish(this.#batch);
    return this.#carried.putInto([...this.#batch, end], true);
  }

  give(batch: EventKind[]): void {
    this.#output.give(batch);
  }

  /** Nothing more comes; where there is a failure, whoever asks on is told of it. */
  close(failure?: Error): void {
    this.#questions?.close([]);
    this.#costWatch?.close();
    this.#output.close(failure);
  }

  /** Gives up what was not read, and what waits for an answer. */
  takeBack(): EventKind[] {
    this.#costWatch?.close();
    const unread = [...this.#output.takeBack(), ...this.#batch.splice(0)];
    this.#output.discharge();
    this.#questions?.refuseAll();
    return unread;
  }

  #watchConversation(): void {
    this.#costWatch?.close();
    if (!this.#isCostWatched || this.#conversation === undefined) return;
    this.#costWatch = new CostWatch(this.#conversation, () => this.#output.stir());
  }

  /** @param bytes - What the events of the line hold, about: as much as the line. */
  #note(bytes = 0): void {
    this.#lines++;
    this.#output.charge(bytes);
    this.#hasPrinted = true;
  }
}
