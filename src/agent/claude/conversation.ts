import type { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { EventKind } from "../agent.ts";
import type { ProcessMemory } from "../agent-memory.ts";
import type { IdleEvents } from "../idle-events.ts";
import { PendingRequests } from "../pending-requests.ts";
import type { AgentProcess, ProcessOutput } from "../process/agent-process.ts";
import type { ProcessExit } from "../process/piped-process.ts";
import type { LongPrintedLines } from "../process/printed-lines.ts";
import type { PooledConversation } from "../process-pool.ts";
import { BackgroundTasks } from "./background-tasks.ts";
import type { ConversationSetup, Opening } from "./command-line.ts";
import type { ControlAnswer } from "./control-messages.ts";
import { CostCount } from "./cost-count.ts";
import { type IdleConversation, IdleOutput } from "./idle-output.ts";
import { type Control, controlRequest } from "./input-lines.ts";
import type { LongLines } from "./long-lines.ts";
import type { RefusalCause } from "./malformed.ts";
import { MessageRouting } from "./message-routing.ts";
import type { PermissionRules } from "./permission-rules.ts";
import { givePart, type PreparedPart, sizeOf } from "./prepared-line.ts";
import { isWholeLine, type LineReader } from "./read-line.ts";
import { ServerFailures } from "./server-failures.ts";
import { TaskEnds } from "./task-ends.ts";
import type { Questioner } from "./tool-questions.ts";
import { TornLines } from "./torn-lines.ts";
import type { TurnReader } from "./turn-reader.ts";

/** An idle CLI answers within a few milliseconds. */
const CONTROL_MS = 5000;

/** What a process was started with, and for. */
export interface ConversationStart {
  readonly setup: ConversationSetup;
  readonly opening: Opening;
  /** What its tools may do. */
  readonly mode: PermissionMode;
  readonly rules: PermissionRules;
  /** Whose it is. Empty: it waits for a session. */
  readonly sessionKey: string;
  /** What is kept of the time while no turn is running. */
  readonly idleEvents: IdleEvents;
  readonly keeper: ConversationKeeper;
  readonly longLines: LongLines;
}

/** Looks after a conversation while no turn does. Must not throw. */
export interface ConversationKeeper {
  /** It begins work of its own. Whoever takes it up calls `begin` at once; otherwise it is part of the next turn. */
  ownWork(conversation: Conversation): void;
  /** Its state is in doubt; `why` goes on from "an agent". */
  doubted(conversation: Conversation, why: string): void;
}

/**
 * The conversation that is held with one process of the CLI, turn after turn: says which turn its lines are for.
 *
 * 1. All that is printed goes to the turn that is running, or else to what keeps it for the next one.
 * 2. What it still prints between turns once it is to end is nobody's.
 */
export class Conversation
  implements ProcessOutput, PooledConversation, IdleConversation, Questioner
{
  readonly setup: ConversationSetup;
  readonly opening: Opening;
  readonly mode: PermissionMode;
  readonly rules: PermissionRules;
  /** Whose it is. Empty: it waits for a session, which is set once it has it. */
  sessionKey: string;
  readonly process: AgentProcess;
  readonly tasks = new BackgroundTasks();
  readonly costs = new CostCount();
  readonly taskEnds = new TaskEnds();
  readonly serverFailures = new ServerFailures();
  readonly long: LongPrintedLines = {
    line: (bytes) => this.#longLine(bytes),
    isWhole: (bytes) => this.#longLines.isWhole(bytes),
  };
  readonly #keeper: ConversationKeeper;
  readonly #longLines: LongLines;
  readonly #requests = new PendingRequests<ControlAnswer>();
  readonly #routing = new MessageRouting({
    ...{ tasks: this.tasks, requests: this.#requests },
    reader: () => this.#reader,
    turnId: () => this.#turnId,
  });
  readonly #idle: IdleOutput;
  readonly #lines: LineReader = {
    message: (message, line) => this.#routing.route(message, line),
    malformed: (thrown, messages) => this.#reader.malformed(thrown, messages),
    refused: (bytes, cause) => this.#reader.refused(bytes, cause),
  };
  readonly #torn = new TornLines();
  #reader: TurnReader;
  #turnId = "";
  #echoes = false;
  /** Set once nothing more comes of its process. */
  #exited: ProcessExit | undefined;

  constructor(process: AgentProcess, start: ConversationStart) {
    this.process = process;
    this.setup = start.setup;
    this.opening = start.opening;
    this.mode = start.mode;
    this.rules = start.rules;
    this.sessionKey = start.sessionKey;
    this.#keeper = start.keeper;
    this.#longLines = start.longLines;
    this.#idle = new IdleOutput(this, start.idleEvents);
    this.#reader = this.#idle;
  }

  /** The turn that is running, or ran last. Empty: none has. */
  get turnId(): string {
    return this.#turnId;
  }

  /** Whether it has taken a turn, or goes on with one that an earlier process took: the agent remembers something. */
  get remembers(): boolean {
    return this.opening === "resume" || this.#routing.turnsBegun > 0;
  }

  get isIdle(): boolean {
    return this.#reader === this.#idle && !this.process.isClosing;
  }

  get memory(): ProcessMemory {
    return this.process.memory;
  }

  /** Whether it was seen to tell when it takes a message of ours up. */
  get echoes(): boolean {
    return this.#echoes;
  }

  /** It took a message of ours up, and told so. */
  hasEchoed(): void {
    this.#echoes = true;
  }

  /** Whether it is at work on something that no turn has taken up. */
  get isAtWork(): boolean {
    return this.#routing.isInTurn;
  }

  /** Gives up what came since the last turn. */
  drain(): EventKind[] {
    return this.#idle.handOver(this.#routing.isInTurn);
  }

  /**
   * Begins to give what it prints to a turn; answers what came since the turn before. It must be idle; where its process has
   * ended by now, as one that could not be started has, the turn is told so soon.
   */
  begin(reader: TurnReader, turnId: string): EventKind[] {
    this.#reader = reader;
    this.#turnId = turnId;
    const exit = this.#exited;
    if (exit !== undefined) queueMicrotask(() => this.#reader === reader && reader.ended(exit));
    return this.drain();
  }

  /** A turn takes nothing more; `left` is what it did not take, for the next one. */
  release(reader: TurnReader, left: readonly EventKind[] = []): void {
    this.#idle.keep(left);
    if (this.#reader !== reader) return;
    this.#reader = this.#idle; // 1.
    this.process.resume();
  }

  write(lines: string): void {
    this.process.write(lines);
  }

  reply(line: string): void {
    if (!this.process.reply(line)) this.distrust("asked without reading the answers");
  }

  /** Asks the process for something. Resolves with what it says; undefined where it refuses, or says nothing in time. */
  control(request: Control, withinMs = CONTROL_MS): Promise<ControlAnswer | undefined> {
    return this.#requests.ask((id) => this.write(controlRequest(id, request)), withinMs);
  }

  offerOwnWork(): void {
    this.#keeper.ownWork(this);
  }

  distrust(why: string): void {
    if (this.process.isClosing) return;
    this.#reader.distrusted(why);
    this.#keeper.doubted(this, why);
  }

  line(bytes: Uint8Array): void {
    if (!this.#isForsaken) this.#torn.read(bytes, this.#lines);
  }

  skipped(bytes: number, cause: RefusalCause): void {
    if (!this.#isForsaken) this.#reader.refused(bytes, cause);
  }

  isWhole(bytes: Uint8Array): boolean {
    return isWholeLine(bytes);
  }

  flush(): void {
    this.#reader.flush();
  }

  exited(exit: ProcessExit): void {
    this.#exited = exit;
    this.#requests.abandon();
    this.#reader.ended(exit);
  }

  /** 2. */
  get #isForsaken(): boolean {
    return this.#reader === this.#idle && this.process.isClosing;
  }

  async #longLine(bytes: Uint8Array<ArrayBuffer>): Promise<(() => number)[]> {
    if (this.#isForsaken) return [];
    const groups = await this.#longLines.read(bytes);
    return groups.map((open) => () => (this.#isForsaken ? 0 : this.#givePrepared(open())));
  }

  /** Answers about how many bytes go on. */
  #givePrepared(parts: readonly PreparedPart[]): number {
    for (const part of parts) givePart(part, this.#lines);
    return parts.reduce((sum, part) => sum + sizeOf(part), 0);
  }
}
