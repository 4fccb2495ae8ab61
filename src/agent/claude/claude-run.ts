import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { Owner } from "../../files/owner.ts";
import type { ApprovalAnswer } from "../../turn-requests.ts";
import type { AgentRun, AgentTurn, EventKind, Spending } from "../agent.ts";
import { noticeEvent } from "../events.ts";
import type { UnaskedRun } from "../own-work-offers.ts";
import type { ProcessExit } from "../process/piped-process.ts";
import type { Fate } from "../process-pool.ts";
import type { Conversation } from "./conversation.ts";
import { explainUnstarted, isInterruptExit, isSessionInUse } from "./failures.ts";
import { userMessage } from "./input-lines.ts";
import type { Message } from "./line.ts";
import type { LineContent } from "./line-content.ts";
import type { ResultMessage } from "./messages.ts";
import { type ConversationSource, PromptDelivery } from "./prompt-delivery.ts";
import { isAborted } from "./result.ts";
import { roleOfResult } from "./result-role.ts";
import { SentMessages } from "./sent-messages.ts";
import { TurnOutput } from "./turn-output.ts";
import type { ResultRole } from "./turn-results.ts";

/** What a run is told of its surroundings. */
export interface RunSurroundings {
  readonly source: ConversationSource;
  /** Takes a conversation over from its turn; resolves when its session can take the next one. */
  settle(conversation: Conversation, fate: Fate): Promise<void>;
  /** Where the CLI keeps its conversations. */
  readonly directory: string;
  /** Whose that is, where it is not the server's user's. */
  readonly owner: Owner | undefined;
  /** The CLI's executable, as it is told of. */
  readonly command: string;
}

function restoredNotice(): EventKind {
  const text =
    "The session's workspace was gone, and was made anew: it is empty, and what lay in it is not there";
  return noticeEvent(NoticeReason.AGENT_WARNING, text);
}

/** What a run is doing. `over`: its terminal event was given, or it was given up without one. */
type Phase = "running" | "interrupting" | "stopping" | "over";

/**
 * One turn of the CLI, from when a process has its prompt: `PromptDelivery` has how it comes there.
 *
 * 1. Exactly one terminal event is given, and nothing after it; none where it was to stop before a process had it.
 * 2. After it nothing of the conversation is touched any more, but by `stop`.
 * 3. A process takes another turn only where there is no doubt about its state and its conversation.
 */
export class ClaudeRun implements UnaskedRun {
  readonly #released = Promise.withResolvers<void>();
  readonly released = this.#released.promise;
  readonly events: AsyncIterable<EventKind[]>;
  readonly #agentSessionId: string;
  readonly #surroundings: RunSurroundings;
  readonly #sent: SentMessages;
  readonly #output: TurnOutput;
  /** Undefined: nobody asked for the work, and it has begun. */
  #delivery: PromptDelivery | undefined;
  #conversation: Conversation | undefined;
  #phase: Phase = "running";
  /** The process gave up for a reason of its own, or spoke out of turn. */
  #isDoubtful = false;

  private constructor(
    { agent, agentSessionId }: Pick<AgentTurn, "agent" | "agentSessionId">,
    sent: SentMessages,
    surroundings: RunSurroundings,
  ) {
    this.#agentSessionId = agentSessionId;
    this.#sent = sent;
    this.#surroundings = surroundings;
    this.#output = new TurnOutput(agent, {
      wanted: () => this.#conversation?.process.resume(),
      cameUp: () => this.#delivery?.begin(),
      takenUp: (uuid) => {
        if (uuid === this.#sent.promptUuid) this.#output.forgetWords();
        const isOwn = this.#sent.takenUp(uuid);
        if (this.#sent.echoes) this.#conversation?.hasEchoed();
        if (isOwn) this.#delivery?.begin();
      },
      roleOf: (result) => this.#roleOf(result),
      strayed: (message, line) => this.#strayed(message, line),
      made: (batch) => this.#made(batch),
      ended: (exit) => this.#ended(exit),
    });
    this.events = this.#output.batches;
  }

  /** Begins a turn that was asked for. */
  static start(turn: AgentTurn, surroundings: RunSurroundings): AgentRun {
    const sent = new SentMessages(true);
    const run = new ClaudeRun(turn, sent, surroundings);
    const listener = {
      offered: (conversation: Conversation) => {
        run.#attach(conversation);
        run.begin(turn.turnId);
      },
      begun: () => run.#phase === "interrupting" && run.#interruptNow(),
      noted: (event: EventKind) => run.#output.carryFirst(event),
    };
    if (turn.isWorkspaceRestored) run.#output.carryFirst(restoredNotice());
    run.#delivery = new PromptDelivery(turn, sent, listener, surroundings);
    void run.#deliver(run.#delivery);
    return run;
  }

  /** Takes up work that a conversation begins by itself; until `begin` it gives nothing. */
  static ofOwnWork(conversation: Conversation, surroundings: RunSurroundings): UnaskedRun {
    const run = new ClaudeRun(conversation.setup, new SentMessages(false), surroundings);
    run.#attach(conversation);
    return run;
  }

  begin(turnId: string): void {
    this.#output.carry(this.#conversation!.begin(this.#output, turnId));
  }

  get agentSessionId(): string {
    const given = this.#output.translation?.agentSessionId;
    return given ?? this.#conversation?.setup.agentSessionId ?? this.#agentSessionId;
  }

  get spending(): Spending {
    return this.#output.spending;
  }

  get modelTurns(): number {
    return this.#output.modelTurns;
  }

  watchCost(): void {
    this.#output.watchCost();
  }

  get waitsForModel(): boolean {
    return this.#hasBegun && !this.#output.hasOpenCalls;
  }

  interrupt(): void {
    if (this.#isEnding) return;
    this.#phase = "interrupting";
    if (this.#hasBegun) this.#interruptNow();
  }

  steer(message: string): boolean {
    if (this.#isEnding) return false;
    const line = userMessage(this.#sent.add(), message);
    this.#sent.keep(line);
    if (this.#sent.promptWritten) this.#conversation!.write(line);
    return true;
  }

  answer(approvalId: string, answer: ApprovalAnswer): void {
    this.#output.answer(approvalId, answer);
  }

  async stop(): Promise<void> {
    if (this.#phase !== "over") this.#phase = "stopping";
    this.#delivery?.end();
    // Whether or not anyone reads on: its end has to be seen.
    this.#conversation?.process.resume();
    await this.#conversation?.process.close();
    await this.released;
  }

  decline(): void {
    this.#conversation?.release(this.#output, this.#output.takeBack());
    this.#giveUp();
  }

  /** Whether a process works on it: from then on it hears an interrupt. */
  get #hasBegun(): boolean {
    return this.#delivery?.hasBegun !== false;
  }

  get #isEnding(): boolean {
    return this.#phase === "stopping" || this.#phase === "over";
  }

  async #deliver(delivery: PromptDelivery): Promise<void> {
    try {
      if (!(await delivery.deliver())) this.#giveUp();
    } catch (error) {
      delivery.end();
      const why = explainUnstarted(error as Error, this.#surroundings.command);
      if (why !== undefined) this.#output.give([{ case: "error", value: why }]);
      this.#giveUp(why === undefined ? (error as Error) : undefined);
    }
  }

  /** It ends without the terminal event of a process; where there is a failure, whoever asks on is told of it. */
  #giveUp(failure?: Error): void {
    this.#phase = "over";
    this.#output.close(failure);
    this.#released.resolve(failure && this.#conversation?.process.close());
  }

  #strayed(message: Message, line: LineContent): void {
    if (this.#hasBegun) {
      this.#output.message(message, line);
      return;
    }
    // Not this turn's.
    this.#isDoubtful = true;
    this.#delivery?.doubt();
  }

  #made(batch: EventKind[]): void {
    if (this.#output.translation!.ended) this.#finish(batch);
    else {
      this.#output.give(batch);
      const mustWait = this.#output.mustWait && this.#phase !== "stopping";
      if (mustWait) this.#conversation!.process.pause();
    }
  }

  #ended(exit: ProcessExit): void {
    const { conversationUnknown, initialized } = this.#output.translation!;
    const { process, opening } = this.#conversation!;
    const { stderrTail } = process;
    const inUse = opening === "new" && isSessionInUse(stderrTail) && !initialized;
    if (this.#delivery?.exited(conversationUnknown || inUse) === false) return;
    const isInterrupted = this.#phase === "interrupting" && isInterruptExit(exit);
    const { command } = this.#surroundings;
    this.#finish(
      isInterrupted ? this.#output.interrupted() : this.#output.explain(exit, stderrTail, command),
    );
  }

  #attach(conversation: Conversation): void {
    this.#conversation = conversation;
    this.#isDoubtful = false;
    this.#output.attach(conversation);
  }

  /** What was sent and not taken up, as a prompt behind work of its own, would be worked on after the interrupt. */
  #interruptNow(): void {
    const conversation = this.#conversation!;
    for (const uuid of this.#sent.waiting) {
      void conversation.control({ subtype: "cancel_async_message", message_uuid: uuid });
    }
    void conversation.control({ subtype: "interrupt" });
  }

  #roleOf(result: ResultMessage): ResultRole {
    const role = roleOfResult(result, {
      sent: this.#sent,
      isInterrupting: this.#phase === "interrupting",
      echoes: this.#sent.echoes || this.#conversation!.echoes,
      hasAnswered: this.#output.hasSpoken,
      metTask: this.#output.metTask,
    });
    this.#isDoubtful ||= role === "end" && isAborted(result);
    return role;
  }

  /** Gives the last batch, and leaves the conversation to the next turn or to its end. */
  #finish(last: EventKind[]): void {
    // 1.
    if (this.#phase === "over") return;
    const fate = this.#fateOf(last.at(-1)!);
    this.#phase = "over";
    this.#output.give(last);
    this.#output.close();
    // 2.
    const conversation = this.#conversation!;
    conversation.release(this.#output);
    this.#released.resolve(this.#surroundings.settle(conversation, fate));
    this.#delivery?.end();
  }

  /** What is to become of the process. */
  #fateOf(end: EventKind): Fate {
    const isSound = end.case === "result" || !this.#output.translation!.agentUnknown;
    if (this.#phase === "stopping" || !isSound) return "end";
    const isSame = this.agentSessionId === this.#conversation!.setup.agentSessionId;
    // 3.
    if (this.#isDoubtful || !isSame) return "finish";
    return end.case === "result" || this.#phase === "interrupting" ? "keep" : "end";
  }
}
