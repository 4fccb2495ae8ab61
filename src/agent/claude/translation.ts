import type { z } from "zod";
import {
  type ErrorEvent,
  ErrorReason,
  NoticeReason,
  type ResultEvent,
} from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind, Spending } from "../agent.ts";
import { errorEvent, label, noticeEvent, sessionEvent } from "../events.ts";
import { SHIPPED_AGENT } from "./agent-definition.ts";
import { CostCount } from "./cost-count.ts";
import { isUuid } from "./ids.ts";
import type { Message } from "./line.ts";
import type { LineContent } from "./line-content.ts";
import { malformedLine, malformedPart, type RefusalCause, refusedLine } from "./malformed.ts";
import * as messages from "./messages.ts";
import { type NoticeKind, RATE_LIMIT, SYSTEM_NOTICES } from "./notices.ts";
import { PartialMessages } from "./partial-messages.ts";
import { addResults, earlierResult, isConversationUnknown } from "./result.ts";
import { agentUnknown } from "./stderr-causes.ts";
import { isRefusal, SYNTHETIC_MODEL, syntheticNotice } from "./synthetic.ts";
import { TokenCount } from "./token-count.ts";

/** What a result means to its turn: its end, its end because it was interrupted, or only that more is to come. */
export type ResultRole = "end" | "interrupted" | "more";

/** What is known of a turn apart from its lines. */
export interface TranslationContext {
  /** The agent definition that was asked for. */
  readonly agent: string;
  /** The agent goes on with a conversation that it has. */
  readonly resumed: boolean;
  /** Counts what the results of the process cost. Unset: this turn is its first. */
  readonly costs?: CostCount;
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
  readonly #context: TranslationContext;
  readonly #tokens = new TokenCount();
  readonly #partial = new PartialMessages();
  readonly #costs: CostCount;
  /** Those that were not the turn's end, as one. */
  #earlier: ResultEvent | undefined;
  #result: ResultEvent | undefined;
  #conversationUnknown = false;
  #agentUnknown = false;
  #agentSessionId: string | undefined;
  #understood = 0;
  #initialized = false;
  /** Which of the two lines that tell of one compaction came first: the other says nothing new. */
  #compactionToldBy: "status" | "boundary" | undefined;
  /** A refusal was told of; the CLI's own message about it, which the result repeats, says nothing new. */
  #refusalTold = false;

  constructor(context: TranslationContext) {
    this.#context = context;
    this.#costs = context.costs ?? new CostCount();
  }

  /** The terminal event was appended, or `conversationUnknown`: nothing will be appended any more. */
  get ended(): boolean {
    return this.#result !== undefined || this.#agentUnknown || this.#conversationUnknown;
  }

  /** The agent came up without the definition that was asked for, and has been told of as an error. */
  get agentUnknown(): boolean {
    return this.#agentUnknown;
  }

  /** The result said that the CLI has no such conversation, and nothing was done: it is to be started anew. */
  get conversationUnknown(): boolean {
    return this.#conversationUnknown;
  }

  /** The newest id of the conversation that the CLI gave and that it can be resumed by: a UUID. */
  get agentSessionId(): string | undefined {
    return this.#agentSessionId;
  }

  /** How many lines were messages, of whatever kind. */
  get understood(): number {
    return this.#understood;
  }

  /** The agent came up: it said so, or spoke. */
  get initialized(): boolean {
    return this.#initialized;
  }

  /** Usage and cost as far as they are known: the results', or else the sum over the model's messages. */
  get spending(): Spending {
    const known = this.#result ?? this.#earlier;
    if (known === undefined) {
      const { usage } = this.#tokens;
      return { ...(usage && { usage }), totalCostUsd: 0 };
    }
    const { totalCostUsd } = known;
    // An interrupted turn's result says 0 of everything.
    const told = known.usage?.inputTokens || known.usage?.outputTokens ? known.usage : undefined;
    const usage = told ?? this.#tokens.usage ?? known.usage;
    return { ...(usage && { usage }), totalCostUsd };
  }

  /** Appends the events that a message means; `line` is what it came in. Never throws. After the end: nothing. */
  append(message: Message, line: LineContent, into: EventKind[]): void {
    if (this.ended) return;
    this.#understood++;
    this.#translate(message, line, into);
  }

  /** Appends the notice of a line that is no message. */
  malformed(beginning: string, into: EventKind[]): void {
    if (this.ended) return;
    this.#partial.lose(into);
    into.push(malformedLine(beginning));
  }

  /** Appends the notice of a line that was not read. */
  refused(bytes: number, cause: RefusalCause, into: EventKind[]): void {
    if (this.ended) return;
    this.#partial.lose(into);
    into.push(refusedLine(bytes, cause));
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
        if (this.#initialized) this.#partial.add(message, into);
        break;
      case "result":
        this.#end(message, line, into);
        break;
      case "conversation_reset":
        this.#reset(message, into);
        break;
      case "rate_limit_event":
        this.#notice(RATE_LIMIT, message, into);
        break;
    }
  }

  #assistant(message: Message, line: LineContent, into: EventKind[]): void {
    const parsed = read(messages.assistant, message, into);
    if (parsed === undefined) return;
    const { id, model, usage } = parsed.message;
    if (model === SYNTHETIC_MODEL) {
      if (!isRefusal(parsed) || !this.#refusalTold) into.push(syntheticNotice(parsed));
      this.#refusalTold = false;
      return;
    }
    if (usage) this.#tokens.add(label(id), usage);
    this.#comeUp({ session_id: parsed.session_id ?? "", model }, into);
    line.appendBlocks(parsed, into);
  }

  #user(message: Message, line: LineContent, into: EventKind[]): void {
    const parsed = read(messages.user, message, into);
    if (parsed === undefined) return;
    const results: EventKind[] = [];
    line.appendToolResults(parsed, results);
    if (results.length === 0) return;
    if (!this.#initialized) this.#comeUp({ session_id: parsed.session_id ?? "" }, into);
    for (const result of results) into.push(result);
  }

  #system(message: Message, into: EventKind[]): void {
    const { subtype } = message;
    if (subtype === "init") this.#init(message, into);
    else if (subtype === "status") this.#status(message, into);
    else if (subtype === "compact_boundary") this.#compacted("boundary", into);
    else if (typeof subtype === "string") {
      const kind = SYSTEM_NOTICES.get(subtype);
      if (kind !== undefined) this.#notice(kind, message, into);
      if (subtype === "model_refusal_no_fallback") this.#refusalTold = true;
    }
  }

  #init(message: Message, into: EventKind[]): void {
    const parsed = read(messages.init, message, into);
    if (parsed === undefined) return;
    const { agent } = this.#context;
    this.#costs.version = parsed.claude_code_version ?? "";
    // Only the first init counts: the definition's file may go while the agent works.
    const agents = this.#initialized ? [] : namesIn(parsed.agents ?? []);
    // Fed by stdin, 2.1.330 takes an unknown definition without a word and goes on as its own default (measured).
    // The shipped definition is handed over with the arguments, so that the CLI need not list it.
    if (agent !== SHIPPED_AGENT && agents.length > 0 && !agents.includes(agent)) {
      this.#agentUnknown = true;
      const { reason, message: text } = agentUnknown(agent, agents);
      into.push({ case: "error", value: errorEvent(reason, text) });
      return;
    }
    this.#comeUp(parsed, into);
  }

  /** The agent gave a sign of life. Only the first makes an event; ids are taken from every one. */
  #comeUp(sign: Partial<z.output<typeof messages.init>>, into: EventKind[]): void {
    if (sign.session_id !== undefined) this.#noteSessionId(sign.session_id);
    if (this.#initialized) return;
    this.#initialized = true;
    into.push(
      sessionEvent({
        agentSessionId: isUuid(sign.session_id ?? "") ? sign.session_id! : "",
        model: label(sign.model),
        agent: this.#context.agent,
        agentVersion: label(sign.claude_code_version),
        resumed: this.#context.resumed,
      }),
    );
  }

  /** Only a UUID becomes an argument of the CLI or a part of a path. */
  #noteSessionId(id: string): void {
    if (isUuid(id)) this.#agentSessionId = id;
  }

  #status(message: Message, into: EventKind[]): void {
    const parsed = read(messages.status, message, into);
    if (parsed === undefined) return;
    if (parsed.status === "compacting") this.#compactionToldBy = undefined;
    if (parsed.compact_result === "success") this.#compacted("status", into);
    if (parsed.compact_result === "failed") {
      const why = parsed.compact_error ? `: ${parsed.compact_error}` : "";
      const text = `The agent could not summarize the conversation${why}`;
      into.push(noticeEvent(NoticeReason.AGENT_WARNING, text));
    }
  }

  #compacted(by: "status" | "boundary", into: EventKind[]): void {
    const told = this.#compactionToldBy;
    this.#compactionToldBy = told === undefined || told === by ? by : undefined;
    if (this.#compactionToldBy === undefined) return;
    const text = "The agent summarized the conversation so far to make room";
    into.push(noticeEvent(NoticeReason.CONTEXT_COMPACTED, text));
  }

  #reset(message: Message, into: EventKind[]): void {
    const parsed = read(messages.conversationReset, message, into);
    if (parsed === undefined) return;
    this.#noteSessionId(parsed.new_conversation_id);
    const text = "The agent began an empty conversation; it does not remember what came before";
    into.push(noticeEvent(NoticeReason.CONVERSATION_RESET, text));
  }

  #notice(kind: NoticeKind, message: Message, into: EventKind[]): void {
    const parsed = read(kind.schema, message, into);
    const notice = parsed === undefined ? undefined : kind.notice(parsed);
    if (notice !== undefined) into.push(notice);
  }

  #end(message: Message, line: LineContent, into: EventKind[]): void {
    const parsed = read(messages.result, message, into);
    if (parsed === undefined) return;
    const event = line.resultOf(parsed, this.#costs.of(parsed));
    this.#conversationUnknown =
      this.#context.resumed && !this.#initialized && isConversationUnknown(parsed);
    if (this.#conversationUnknown) return;
    const role = this.#context.roleOf?.(parsed) ?? "end";
    const all = this.#earlier === undefined ? event : addResults(this.#earlier, event);
    if (role === "more") {
      this.#earlier = earlierResult(all);
      return;
    }
    this.#result = all;
    if (role === "end") into.push({ case: "result", value: this.#result });
    else into.push({ case: "error", value: this.#interruption() });
  }

  #interruption(): ErrorEvent {
    const text = "The turn was interrupted; what the agent had done until then is done";
    return { ...errorEvent(ErrorReason.CANCELED, text), ...this.spending };
  }
}

/** A list of names; empty where something in it is none. */
function namesIn(list: readonly unknown[]): readonly string[] {
  return list.every((name) => typeof name === "string") ? list : [];
}

/** A message as its schema has it. Undefined, having appended a notice, where it does not fit. */
function read<S extends z.ZodType>(
  schema: S,
  message: Message,
  into: EventKind[],
): z.output<S> | undefined {
  const { data, error } = schema.safeParse(message);
  if (error === undefined) return data;
  const kind = typeof message.subtype === "string" ? message.subtype : message.type;
  into.push(malformedPart(`${kind} message`, error));
  return undefined;
}
