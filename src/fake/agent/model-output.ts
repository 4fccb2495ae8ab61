import { assistant, streamEvent, toolResult } from "./agent-messages.ts";

/** What a tool call came to. */
export interface ToolOutcome {
  readonly content: string;
  readonly isError?: boolean;
}

/**
 * What a scripted model says, as the CLI prints it.
 *
 * 1. Pieces of a text and the text that they come to have the id of one message; another text has another id.
 * 2. A call whose turn was interrupted is given no outcome here: whoever interrupts says that it was rejected.
 */
export class ModelOutput {
  readonly #sessionId: string;
  readonly #print: (message: object) => void;
  #messages = 1;
  #isWriting = false;
  #calls = 0;
  #openToolId = "";

  constructor(sessionId: string, print: (message: object) => void) {
    this.#sessionId = sessionId;
    this.#print = print;
  }

  /** The tool call that runs now; empty: none does. */
  get openToolId(): string {
    return this.#openToolId;
  }

  /** Says a text, which ends what is being written. */
  say(text: string): void {
    this.#assistant({ type: "text", text });
    this.#isWriting = false;
  }

  /** Reasons. */
  think(thinking: string): void {
    this.#assistant({ type: "thinking", thinking, signature: "" });
  }

  /** Writes a piece of a text; the first one begins a message, which the next text ends. */
  write(text: string): void {
    if (!this.#isWriting) this.#beginMessage();
    this.#isWriting = true;
    const delta = { type: "text_delta", text };
    this.#streamEvent({ type: "content_block_delta", index: 0, delta });
  }

  /** The message that is being written is void: the next piece begins another one. */
  restart(): void {
    this.#isWriting = false;
  }

  /**
   * Calls a tool, and prints what that came to.
   *
   * @param work - Runs it, by the call's id.
   */
  async call(
    name: string,
    input: object,
    signal: AbortSignal,
    work: (toolId: string) => ToolOutcome | Promise<ToolOutcome>,
  ): Promise<void> {
    const id = `toolu_${++this.#calls}_${process.pid}`;
    this.#assistant({ type: "tool_use", id, name, input });
    this.#openToolId = id;
    const { content, isError = false } = await work(id);
    if (signal.aborted) return;
    this.#openToolId = "";
    this.#print(toolResult(this.#sessionId, id, content, isError));
  }

  /** The call that runs was rejected by an interrupt. Answers whether there was one. */
  rejectCall(): boolean {
    if (this.#openToolId === "") return false;
    this.#print(toolResult(this.#sessionId, this.#openToolId, "rejected", true));
    this.#openToolId = "";
    return true;
  }

  #beginMessage(): void {
    this.#messages++;
    const message = { id: this.#id, role: "assistant", model: "scripted-model", content: [] };
    this.#streamEvent({ type: "message_start", message });
    const block = { type: "text", text: "" };
    this.#streamEvent({ type: "content_block_start", index: 0, content_block: block });
  }

  get #id(): string {
    return `msg_${this.#messages}`;
  }

  #assistant(block: object): void {
    this.#print(assistant(this.#sessionId, block, this.#id));
  }

  #streamEvent(event: object): void {
    this.#print(streamEvent(this.#sessionId, event));
  }
}
