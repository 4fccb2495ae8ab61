import { randomUUID } from "node:crypto";
import { ApprovalDecision, NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { ApprovalAnswer, EventKind } from "../agent.ts";
import { MAX_ID_LENGTH } from "./agent-memory.ts";
import { allowResponse, denyResponse, unknownResponse } from "./command-line.ts";
import type { Conversation } from "./conversation.ts";
import { approvalRequestEvent, approvalResolutionEvent, label, noticeEvent } from "./events.ts";
import { ExactJson } from "./exact-json.ts";
import type { Message } from "./line.ts";
import * as messages from "./messages.ts";

/** So many may wait at a time; the CLI is not known to ask more than a handful. */
const MAX_QUESTIONS = 100;
/** So many in one turn: the turn remembers how each was decided, and nobody answers as many. */
const MAX_ASKED = 10_000;
/** What one takes beside its input. */
const QUESTION_BYTES = 1000;
/** So much of what the CLI asks in vain it is told again. */
const SUBTYPE_LENGTH = 100;

/** Whom a turn's questions come from, and what they are kept in. */
export type Questioner = Pick<Conversation, "mode" | "write" | "reply" | "memory">;

/** A question that waits. */
interface Question {
  /** The CLI's id of it. */
  readonly requestId: string;
  /** The input that it asks about, as the event shows it. Empty: nobody was shown it. */
  readonly inputJson: string;
  readonly bytes: number;
}

/**
 * The tool calls of one turn that the CLI asks about before it makes them.
 *
 * 1. What is allowed is the text that the event showed, or what the approver wrote in its place.
 * 2. Of two questions with one id of the CLI's only the later waits.
 */
export class ToolQuestions {
  readonly #conversation: Questioner;
  /** By our id. */
  readonly #open = new Map<string, Question>();
  #asked = 0;

  constructor(conversation: Questioner) {
    this.#conversation = conversation;
  }

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  /** Takes a `control_request`, and appends the event that asks, or answers it where nobody is to be asked. */
  ask(message: Message, line: string, into: EventKind[]): void {
    const { request_id, request } = messages.controlRequest.safeParse(message).data ?? {};
    if (request_id === undefined || request === undefined) return;
    // What is no id could not be answered by it.
    if (request_id.length > MAX_ID_LENGTH) return;
    const tool = messages.toolRequest.safeParse(message).data?.request;
    if (request.subtype === "can_use_tool" && tool !== undefined) {
      this.#askAbout(request_id, tool, line, into);
    } else {
      const subtype = request.subtype.slice(0, SUBTYPE_LENGTH);
      this.#conversation.reply(unknownResponse(request_id, subtype));
    }
  }

  /** Answers one that waits; an id that does not is ignored. */
  answer(approvalId: string, answer: ApprovalAnswer): void {
    const asked = this.#settle(approvalId);
    if (asked === undefined) return;
    const { requestId } = asked;
    const isSeen = asked.inputJson !== "";
    if (!answer.allow) this.#deny(requestId, answer.message || "The tool call was denied.");
    else if (!isSeen) this.#deny(requestId, "Its input could not be shown whole.");
    else {
      const inputJson = answer.inputJson ?? asked.inputJson;
      this.#conversation.write(allowResponse(requestId, inputJson));
    }
  }

  /** The CLI no longer waits for one: appends the event that says so. */
  withdraw(requestId: string, into: EventKind[]): void {
    for (const [approvalId, asked] of this.#open) {
      if (asked.requestId !== requestId) continue;
      this.#settle(approvalId);
      into.push(approvalResolutionEvent(approvalId, ApprovalDecision.WITHDRAWN));
    }
  }

  /** Denies all that wait: there is no turn whose approvers could be asked. */
  refuseAll(): void {
    for (const { requestId } of this.#open.values()) {
      this.#deny(requestId, "No turn is running, so that nobody can approve it.");
    }
    this.close([]);
  }

  /** Nobody waits any more: appends the events that say so. */
  close(into: EventKind[]): void {
    for (const { requestId } of this.#open.values()) this.withdraw(requestId, into);
  }

  #askAbout(requestId: string, tool: messages.ToolRequest, line: string, into: EventKind[]): void {
    // Asked under the same id once more: an answer to the first would be taken for one to the second.
    this.withdraw(requestId, into);
    const why = this.#whyNot(tool);
    if (why !== undefined) {
      this.#deny(requestId, `It was not allowed, because ${why}.`);
      into.push(deniedNotice(tool.tool_name, why));
      return;
    }
    const input = new ExactJson(line).textOf(tool.input, ["request", "input"]);
    const bytes = QUESTION_BYTES + Buffer.byteLength(input.json);
    if (!this.#conversation.memory.questions.take(bytes)) {
      const held = "what waits for an approval is more already than is kept for one agent";
      this.#deny(requestId, `It was not allowed, because ${held}.`);
      into.push(deniedNotice(tool.tool_name, held));
      return;
    }
    const approvalId = randomUUID();
    this.#asked++;
    this.#open.set(approvalId, { requestId, inputJson: input.json, bytes });
    const { tool_use_id, tool_name, description } = tool;
    into.push(approvalRequestEvent(approvalId, tool_use_id, tool_name, input, description));
  }

  /** Why nobody is asked about a call, as the end of a sentence. */
  #whyNot({ tool_name }: messages.ToolRequest): string | undefined {
    if (this.#conversation.mode !== PermissionMode.ASK) {
      return "the agent wanted it approved, which this turn cannot have";
    }
    if (label(tool_name) !== tool_name) return "the tool's name cannot be shown whole";
    if (this.#open.size >= MAX_QUESTIONS) return `${MAX_QUESTIONS} others wait already`;
    if (this.#asked >= MAX_ASKED) return `${MAX_ASKED} were asked about in this turn already`;
    return undefined;
  }

  #settle(approvalId: string): Question | undefined {
    const asked = this.#open.get(approvalId);
    this.#open.delete(approvalId);
    this.#conversation.memory.questions.giveBack(asked?.bytes ?? 0);
    return asked;
  }

  #deny(requestId: string, message: string): void {
    this.#conversation.reply(denyResponse(requestId, message));
  }
}

/** A turn that asks nobody goes on without what it may not do. */
function deniedNotice(name: string, why: string): EventKind {
  const text = `${label(name)} was not allowed to run: ${why}`;
  return noticeEvent(NoticeReason.PERMISSION_DENIED, text);
}
