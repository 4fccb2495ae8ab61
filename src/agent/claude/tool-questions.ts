import { randomUUID } from "node:crypto";
import { ApprovalDecision, NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { ApprovalAnswer, EventKind } from "../agent.ts";
import { allowResponse, denyResponse, unknownResponse } from "./command-line.ts";
import type { Conversation } from "./conversation.ts";
import { approvalRequestEvent, approvalResolutionEvent, noticeEvent } from "./events.ts";
import { ExactJson } from "./exact-json.ts";
import type { Message } from "./line.ts";
import * as messages from "./messages.ts";

/** So many may wait at a time; the CLI is not known to ask more than a handful. */
const MAX_QUESTIONS = 100;

/** The tool calls of one turn that the CLI asks about before it makes them. */
export class ToolQuestions {
  readonly #conversation: Pick<Conversation, "mode" | "write">;
  /** By our id: the CLI's, and the input that it asked about. */
  readonly #open = new Map<string, { readonly requestId: string; readonly inputJson: string }>();

  constructor(conversation: Pick<Conversation, "mode" | "write">) {
    this.#conversation = conversation;
  }

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  /** Takes a `control_request`, and appends the event that asks, or answers it where nobody is to be asked. */
  ask(message: Message, line: string, into: EventKind[]): void {
    const { request_id, request } = messages.controlRequest.safeParse(message).data ?? {};
    if (request_id === undefined || request === undefined) return;
    const tool = messages.toolRequest.safeParse(message).data?.request;
    if (request.subtype !== "can_use_tool" || tool === undefined) {
      this.#conversation.write(unknownResponse(request_id, request.subtype));
      return;
    }
    const input = new ExactJson(line).textOf(tool.input, ["request", "input"]);
    const inputJson = input.json || jsonOf(tool.input);
    const nobody = this.#conversation.mode !== PermissionMode.ASK;
    if (nobody || inputJson === undefined || this.#open.size >= MAX_QUESTIONS) {
      this.#deny(request_id, tool.tool_name, into);
      return;
    }
    const approvalId = randomUUID();
    this.#open.set(approvalId, { requestId: request_id, inputJson });
    into.push(
      approvalRequestEvent(approvalId, tool.tool_use_id, tool.tool_name, input, tool.description),
    );
  }

  /** Answers one that waits; an id that does not is ignored. */
  answer(approvalId: string, answer: ApprovalAnswer): void {
    const asked = this.#open.get(approvalId);
    if (asked === undefined) return;
    this.#open.delete(approvalId);
    const { requestId, inputJson } = asked;
    this.#conversation.write(
      answer.allow
        ? allowResponse(requestId, answer.inputJson ?? inputJson)
        : denyResponse(requestId, answer.message || "The tool call was denied."),
    );
  }

  /** The CLI no longer waits for one: appends the event that says so. */
  withdraw(requestId: string, into: EventKind[]): void {
    for (const [approvalId, asked] of this.#open) {
      if (asked.requestId !== requestId) continue;
      this.#open.delete(approvalId);
      into.push(approvalResolutionEvent(approvalId, ApprovalDecision.WITHDRAWN));
    }
  }

  /** A turn that asks nobody goes on without what it may not do. */
  #deny(requestId: string, name: string, into: EventKind[]): void {
    this.#conversation.write(denyResponse(requestId, "It cannot be approved in this turn."));
    const text = `${name} was not allowed to run: the agent wanted it approved, which this turn cannot have`;
    into.push(noticeEvent(NoticeReason.PERMISSION_DENIED, text));
  }
}

/** Undefined where it is nested deeper than the serializer goes. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
