import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { ApprovalAnswer } from "../../turn-requests.ts";
import type { EventKind } from "../agent.ts";
import { MAX_ID_LENGTH, type ProcessMemory } from "../agent-memory.ts";
import { label, noticeEvent } from "../events.ts";
import { OpenApprovals } from "../open-approvals.ts";
import { allowResponse, denyResponse, unknownResponse } from "./input-lines.ts";
import type { Message } from "./line.ts";
import type { LineContent } from "./line-content.ts";
import * as messages from "./messages.ts";

/** So much of what the CLI asks in vain it is told again. */
const SUBTYPE_LENGTH = 100;
const NO_TURN = "No turn is running, so that nobody can approve it.";

/** Takes the answers to what the CLI asks. */
export interface Replies {
  /** Answers what it asked; one that asks on without reading the answers is ended. */
  reply(line: string): void;
}

/** Whom a turn's questions come from, and what they are kept in. */
export interface Questioner extends Replies {
  readonly mode: PermissionMode;
  readonly memory: ProcessMemory;
  write(line: string): void;
}

/**
 * The tool calls of one turn that the CLI asks about before it makes them.
 *
 * 1. What is allowed is the text that the event showed, or what the approver wrote in its place.
 * 2. What nobody can be asked about is denied, and the CLI is told why.
 */
export class ToolQuestions {
  readonly #questioner: Questioner;
  readonly #open: OpenApprovals;

  constructor(questioner: Questioner) {
    this.#questioner = questioner;
    this.#open = new OpenApprovals(questioner.memory.questions);
  }

  get isEmpty(): boolean {
    return this.#open.isEmpty;
  }

  /** Takes a `control_request`, and appends the event that asks, or answers it where nobody is to be asked. */
  ask(message: Message, line: LineContent, into: EventKind[]): void {
    const question = readQuestion(message);
    if (question === undefined) return;
    const { requestId, subtype, tool } = question;
    if (tool !== undefined) this.#askAbout(requestId, tool, line, into);
    else this.#questioner.reply(unknownResponse(requestId, subtype));
  }

  /** Answers one that waits; an id that does not is ignored. */
  answer(approvalId: string, answer: ApprovalAnswer): void {
    const asked = this.#open.settle(approvalId);
    if (asked === undefined) return;
    const { requestId } = asked;
    const isSeen = asked.inputJson !== "";
    if (!answer.allow) this.#deny(requestId, answer.message || "The tool call was denied.");
    // 1.
    else if (!isSeen) this.#deny(requestId, "Its input could not be shown whole.");
    else {
      const inputJson = answer.inputJson ?? asked.inputJson;
      this.#questioner.write(allowResponse(requestId, inputJson));
    }
  }

  /** The CLI no longer waits for one: appends the event that says so. */
  withdraw(requestId: string, into: EventKind[]): void {
    this.#open.withdraw(requestId, into);
  }

  /** Denies all that wait: there is no turn whose approvers could be asked. */
  refuseAll(): void {
    for (const requestId of this.#open.requestIds) this.#deny(requestId, NO_TURN);
    this.close([]);
  }

  /** Nobody waits any more: appends the events that say so. */
  close(into: EventKind[]): void {
    this.#open.close(into);
  }

  #askAbout(
    requestId: string,
    tool: messages.ToolRequest,
    line: LineContent,
    into: EventKind[],
  ): void {
    // Asked under the same id once more: an answer to the first would be taken for one to the second.
    this.#open.withdraw(requestId, into);
    const why = this.#whyNot(tool) ?? this.#ask(requestId, tool, line, into);
    if (why === undefined) return;
    // 2.
    this.#deny(requestId, `It was not allowed, because ${why}.`);
    into.push(deniedNotice(tool.tool_name, why));
  }

  /** Asks; answers why that cannot be done, as the end of a sentence. */
  #ask(
    requestId: string,
    tool: messages.ToolRequest,
    line: LineContent,
    into: EventKind[],
  ): string | undefined {
    const input = line.inputOf(tool);
    const { tool_use_id: toolId, tool_name: name, description } = tool;
    if (this.#open.open(requestId, { toolId, name, input, description }, into)) return undefined;
    return "what waits for an approval is more already than is kept for one agent";
  }

  /** Why nobody is asked about a call, as the end of a sentence. */
  #whyNot({ tool_name }: messages.ToolRequest): string | undefined {
    if (this.#questioner.mode !== PermissionMode.ASK) {
      return "the agent wanted it approved, which this turn cannot have";
    }
    if (label(tool_name) !== tool_name) return "the tool's name cannot be shown whole";
    return this.#open.whyFull();
  }

  #deny(requestId: string, message: string): void {
    this.#questioner.reply(denyResponse(requestId, message));
  }
}

/** Answers a `control_request` while no turn is running: nobody can be asked. */
export function refuseQuestion(message: Message, to: Replies): void {
  const question = readQuestion(message);
  if (question === undefined) return;
  const { requestId, subtype } = question;
  if (subtype !== TOOL_QUESTION) to.reply(unknownResponse(requestId, subtype));
  else to.reply(denyResponse(requestId, NO_TURN));
}

const TOOL_QUESTION = "can_use_tool";

interface ReadQuestion {
  readonly requestId: string;
  /** Cut. */
  readonly subtype: string;
  /** The call that it is about. Undefined: it is about something else, or cannot be understood. */
  readonly tool: messages.ToolRequest | undefined;
}

/** Undefined: what has no id, or what is none for one, could not be answered by it. */
function readQuestion(message: Message): ReadQuestion | undefined {
  const { request_id, request } = messages.controlRequest.safeParse(message).data ?? {};
  if (request_id === undefined || request === undefined) return undefined;
  if (request_id.length > MAX_ID_LENGTH) return undefined;
  const isTool = request.subtype === TOOL_QUESTION;
  const tool = isTool ? messages.toolRequest.safeParse(message).data?.request : undefined;
  return { requestId: request_id, subtype: request.subtype.slice(0, SUBTYPE_LENGTH), tool };
}

/** A turn that asks nobody goes on without what it may not do. */
function deniedNotice(name: string, why: string): EventKind {
  const text = `${label(name)} was not allowed to run: ${why}`;
  return noticeEvent(NoticeReason.PERMISSION_DENIED, text);
}
