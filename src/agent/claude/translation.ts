import type { EventKind, Spending } from "../agent.ts";
import { label } from "../events.ts";
import { ComingUp, type ExpectedAgent } from "./coming-up.ts";
import { Compactions } from "./compactions.ts";
import { echoedMessage } from "./control-messages.ts";
import { CostCount } from "./cost-count.ts";
import type { ThrownAway } from "./framing.ts";
import type { Message } from "./line.ts";
import type { LineContent } from "./line-content.ts";
import { malformedLine, type RefusalCause, refusedLine } from "./malformed.ts";
import { MalformedNotices } from "./malformed-notices.ts";
import * as messages from "./messages.ts";
import { ModelCalls } from "./model-calls.ts";
import { type NoticeKind, RATE_LIMIT, SYSTEM_NOTICES } from "./notices.ts";
import { PartialMessages } from "./partial-messages.ts";
import { readMessage } from "./read-message.ts";
import { isConversationUnknown } from "./result.ts";
import { isRefusal, SYNTHETIC_MODEL, syntheticNotice } from "./synthetic.ts";
import { TaskEnds } from "./task-ends.ts";
import { TokenCount } from "./token-count.ts";
import { type ResultRole, TurnResults } from "./turn-results.ts";

/** What is known of a turn apart from its lines. */
export interface TranslationContext extends ExpectedAgent {
  /** Counts what the results of the process cost. Unset: this turn is its first; so with what is told once of a process. */
  readonly costs?: CostCount;
  readonly taskEnds?: TaskEnds;
  /** What a result means. Unset: the first is the end. */
  roleOf?(result: messages.ResultMessage): ResultRole;
}

/**
 * What one turn of the CLI means: its lines in, events out.
 *
 * 1. Kinds that are unknown are skipped; known ones that are malformed become a notice. Nothing throws.
 * 2. `session` is appended once, before everything that is not a notice or a piece of text.
 * 3. Nothing is appended after the turn's last result: what the CLI still prints belongs to another turn.
 */
export class ClaudeTranslation {
  readonly #resumed: boolean;
  readonly #tokens = new TokenCount();
  readonly #calls = new ModelCalls();
  readonly #malformed = new MalformedNotices();
  readonly #partial = new PartialMessages((messageId) => this.#calls.note(messageId));
  readonly #compactions = new Compactions();
  readonly #costs: CostCount;
  readonly #taskEnds: TaskEnds;
  readonly #comingUp: ComingUp;
  readonly #results: TurnResults;
  #conversationUnknown = false;
  #understood = 0;
  /** A refusal was told of; the CLI's own message about it, which the result repeats, says nothing new. */
  #refusalTold = false;

  constructor(context: TranslationContext) {
    this.#resumed = context.resumed;
    this.#costs = context.costs ?? new CostCount();
    this.#taskEnds = context.taskEnds ?? new TaskEnds();
    this.#comingUp = new ComingUp(context, this.#costs);
    this.#results = new TurnResults(this.#tokens, context.roleOf?.bind(context));
  }

  /** The terminal event was appended, or `conversationUnknown`: nothing will be appended any more. */
  get ended(): boolean {
    return this.#results.ended || this.#comingUp.agentUnknown || this.#conversationUnknown;
  }

  /** The agent came up without the definition that was asked for, and has been told of as an error. */
  get agentUnknown(): boolean {
    return this.#comingUp.agentUnknown;
  }

  /** The result said that the CLI has no such conversation, and nothing was done: it is to be started anew. */
  get conversationUnknown(): boolean {
    return this.#conversationUnknown;
  }

  /** The newest id of the conversation that the CLI gave and that it can be resumed by: a UUID. */
  get agentSessionId(): string | undefined {
    return this.#comingUp.agentSessionId;
  }

  /** How many lines were messages, of whatever kind. */
  get understood(): number {
    return this.#understood;
  }

  /** The agent came up: it said so, or spoke. */
  get initialized(): boolean {
    return this.#comingUp.initialized;
  }

  /** Usage and cost as far as they are known: the results', or else the sum over the model's messages. */
  get spending(): Spending {
    return this.#results.spending;
  }

  /** How many calls of the model have begun to answer. */
  get modelTurns(): number {
    return this.#calls.count;
  }

  /** Appends the events that a message means; `line` is what it came in. Never throws. After the end: nothing. */
  append(message: Message, line: LineContent, into: EventKind[]): void {
    if (this.ended) return;
    this.#understood++;
    const first = into.length;
    this.#taskEnds.finish(message, into);
    this.#translate(message, line, into);
    this.#malformed.bound(into, first);
    if (!this.ended) return;
    const last = into.pop();
    this.#malformed.finish(into);
    if (last !== undefined) into.push(last);
  }

  /** Appends the notice of what is no message, of a line that has nothing else or so many messages beside it. */
  malformed(thrown: ThrownAway, messages: number, into: EventKind[]): void {
    if (this.ended) return;
    // What has no brace is no piece of a message either.
    if (thrown.hasBraces) this.#partial.lose(into);
    const first = into.length;
    into.push(malformedLine(thrown, messages));
    this.#malformed.bound(into, first);
  }

  /** Appends what was not told yet. */
  finish(into: EventKind[]): void {
    this.#taskEnds.finish(undefined, into);
    this.#malformed.finish(into);
  }

  /** Appends the notice of a line that was not read. */
  refused(bytes: number, cause: RefusalCause, into: EventKind[]): void {
    if (this.ended) return;
    this.#partial.lose(into);
    const first = into.length;
    into.push(refusedLine(bytes, cause));
    this.#malformed.bound(into, first);
  }

  #translate(message: Message, line: LineContent, into: EventKind[]): void {
    switch (message.type) {
      case "assistant":
        this.#assistant(message, line, into);
        break;
      case "user":
        this.#user(message, line, into);
        break;
      case "system":
        this.#system(message, into);
        break;
      case "stream_event":
        if (this.initialized) this.#partial.add(message, into);
        break;
      case "result":
        this.#end(message, line, into);
        break;
      case "conversation_reset":
        this.#comingUp.reset(message, into);
        break;
      case "rate_limit_event":
        this.#notice(RATE_LIMIT, message, into);
        break;
    }
  }

  #assistant(message: Message, line: LineContent, into: EventKind[]): void {
    const parsed = readMessage(messages.assistant, message, into);
    if (parsed === undefined) return;
    const { id, model, usage } = parsed.message;
    if (model === SYNTHETIC_MODEL) {
      if (!isRefusal(parsed) || !this.#refusalTold) into.push(syntheticNotice(parsed));
      this.#refusalTold = false;
      return;
    }
    this.#calls.note(label(id));
    if (usage) this.#tokens.add(label(id), usage);
    this.#comingUp.sign({ session_id: parsed.session_id ?? "", model }, into);
    line.appendBlocks(parsed, into);
  }

  #user(message: Message, line: LineContent, into: EventKind[]): void {
    const parsed = readMessage(messages.user, message, into);
    // An echo is of what we said.
    if (parsed === undefined || echoedMessage(message) !== undefined) return;
    const results: EventKind[] = [];
    line.appendToolResults(parsed, results);
    if (results.length === 0) return;
    if (!this.initialized) this.#comingUp.sign({ session_id: parsed.session_id ?? "" }, into);
    for (const result of results) into.push(result);
  }

  #system(message: Message, into: EventKind[]): void {
    const { subtype } = message;
    if (subtype === "init") this.#comingUp.init(message, into);
    else if (subtype === "status") this.#compactions.status(message, into);
    else if (subtype === "compact_boundary") this.#compactions.boundary(into);
    else if (subtype === "task_updated") this.#taskEnds.updated(message);
    else if (typeof subtype === "string") {
      if (subtype === "task_started") this.#taskEnds.started(message);
      if (subtype === "task_notification" && !this.#taskEnds.notified(message)) return;
      const kind = SYSTEM_NOTICES.get(subtype);
      if (kind !== undefined) this.#notice(kind, message, into);
      if (subtype === "model_refusal_no_fallback") this.#refusalTold = true;
    }
  }

  #notice(kind: NoticeKind, message: Message, into: EventKind[]): void {
    const parsed = readMessage(kind.schema, message, into);
    const notice = parsed === undefined ? undefined : kind.notice(parsed);
    if (notice !== undefined) into.push(notice);
  }

  #end(message: Message, line: LineContent, into: EventKind[]): void {
    const parsed = readMessage(messages.result, message, into);
    if (parsed === undefined) return;
    const event = line.resultOf(parsed, this.#costs.of(parsed));
    this.#conversationUnknown = this.#resumed && !this.initialized && isConversationUnknown(parsed);
    if (!this.#conversationUnknown) this.#results.add(parsed, event, into);
  }
}
