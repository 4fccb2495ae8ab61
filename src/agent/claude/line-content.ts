import type { ResultEvent } from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent.ts";
import type { JsonText } from "../events.ts";
import { appendBlocks, appendToolResults } from "./content.ts";
import { ExactJson } from "./exact-json.ts";
import type { AssistantMessage, ResultMessage, ToolRequest, UserMessage } from "./messages.ts";
import { resultEvent } from "./result.ts";

/** What a line holds that can be large, or that takes the line's text to be had exactly, as events have it. */
export interface LineContent {
  /** About how much was printed for it. */
  readonly printedBytes: number;
  /** About how much what is made of it holds. */
  readonly heldBytes: number;
  /** Appends what the blocks of a model's message mean. */
  appendBlocks(message: AssistantMessage, into: EventKind[]): void;
  /** Appends the tools' answers that a message to the model carries. */
  appendToolResults(message: UserMessage, into: EventKind[]): void;
  /** The `result` event's value; `costUsd` is what this result cost by itself. */
  resultOf(message: ResultMessage, costUsd: number): ResultEvent;
  /** What a tool is to be called with. */
  inputOf(request: ToolRequest): JsonText;
}

/** A line of which the text is there. */
export class WholeLine implements LineContent {
  readonly printedBytes: number;
  readonly #json: ExactJson;

  constructor(text: string) {
    this.printedBytes = text.length;
    this.#json = new ExactJson(text);
  }

  get heldBytes(): number {
    return this.printedBytes;
  }

  appendBlocks(message: AssistantMessage, into: EventKind[]): void {
    appendBlocks(message, this.#json, into);
  }

  appendToolResults(message: UserMessage, into: EventKind[]): void {
    appendToolResults(message, into);
  }

  resultOf(message: ResultMessage, costUsd: number): ResultEvent {
    return resultEvent(message, this.#json, costUsd);
  }

  inputOf({ input }: ToolRequest): JsonText {
    return this.#json.textOf(input, ["request", "input"]);
  }
}
