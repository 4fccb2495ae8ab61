import type { ReadStream } from "node:tty";
import type { BreakglassClient } from "#client";
import { isRefusal } from "#client";
import { isShownWhole, type OpenApproval } from "./approval-text.ts";
import { failureText } from "./connection-text.ts";
import { EditorError, editedText } from "./edited-text.ts";
import { Keyboard } from "./keyboard.ts";
import type { Terminal } from "./terminal.ts";
import { oneLine, type Printable, print } from "./terminal-text.ts";

const MESSAGE_CHARACTERS = 300;

type Decision =
  | { readonly case: "allow"; readonly value: { readonly inputJson?: string } }
  | { readonly case: "deny"; readonly value: { readonly message: string } };

/**
 * Answers what waits for an approval by one key each, at the terminal where the turn is followed: the oldest first, the next
 * when that one is decided.
 *
 * 1. Only what is on the screen whole can be allowed by a key.
 * 2. While a line is asked for, or an editor has the screen, nothing else is written there (`quiet`).
 */
export class ApprovalKeys implements Disposable {
  readonly #client: BreakglassClient;
  readonly #terminal: Terminal;
  readonly #keyboard: Keyboard;
  readonly #stdin: ReadStream;
  readonly #waiting: OpenApproval[] = [];
  readonly #show: (open: OpenApproval, keys: Printable) => void;
  /** Resolves when something else may be written. */
  #quiet: Promise<void> = Promise.resolve();
  #isAsking = false;

  /** @param show - Shows what waits, on lines of its own, and which keys answer it. */
  constructor(
    client: BreakglassClient,
    terminal: Terminal,
    stdin: ReadStream,
    show: (open: OpenApproval, keys: Printable) => void,
  ) {
    this.#client = client;
    this.#terminal = terminal;
    this.#keyboard = new Keyboard(stdin);
    this.#stdin = stdin;
    this.#show = show;
  }

  /** Resolves when the screen is free. */
  get quiet(): Promise<void> {
    return this.#quiet;
  }

  /** Something waits for an answer. */
  add(open: OpenApproval): void {
    const { approvalId } = open.request;
    const known = this.#waiting.some(({ request }) => request.approvalId === approvalId);
    if (known) return;
    this.#waiting.push(open);
    if (this.#waiting.length === 1) this.#offer();
    else this.#show(open, print`The keys are for the one before it.`);
  }

  /** It waits no longer: somebody has decided it, or nobody can. */
  settle(has: (approvalId: string) => boolean): void {
    const [before] = this.#waiting;
    for (const open of [...this.#waiting]) {
      if (!has(open.request.approvalId)) this.#waiting.splice(this.#waiting.indexOf(open), 1);
    }
    const [now] = this.#waiting;
    if (now === undefined) this.#keyboard.rest();
    else if (now !== before) this.#offer();
  }

  [Symbol.dispose](): void {
    this.#waiting.length = 0;
    this.#keyboard[Symbol.dispose]();
  }

  #offer(): void {
    const [open] = this.#waiting;
    if (open === undefined || this.#isAsking) return;
    this.#show(open, keysText(open));
    this.#listen();
  }

  #listen(): void {
    if (this.#waiting.length > 0 && !this.#isAsking)
      this.#keyboard.listen((key) => this.#heed(key));
  }

  #heed(key: string): void {
    const [open] = this.#waiting;
    if (open === undefined) return;
    if (key === "a" && isShownWhole(open.request)) {
      void this.#ask(() => this.#answer(open, { case: "allow", value: {} })); // 1.
    } else if (key === "d") void this.#ask(() => this.#deny(open));
    else if (key === "e" && !open.request.truncated) void this.#ask(() => this.#edit(open));
    else this.#terminal.tell(keysText(open));
  }

  /** Answers, alone on the screen, and listens again where it came to nothing. */
  async #ask(answer: () => Promise<void>): Promise<void> {
    this.#isAsking = true;
    this.#keyboard.rest();
    const done = answer().finally(() => {
      this.#isAsking = false;
    });
    this.#quiet = done; // 2.
    await done;
    this.#listen();
  }

  async #deny(open: OpenApproval): Promise<void> {
    const message = await this.#terminal.askLine(
      print`Deny. Tell the agent why (Enter: no reason, Ctrl-C: back): `,
      this.#stdin,
    );
    if (message !== undefined) await this.#answer(open, { case: "deny", value: { message } });
    else this.#terminal.tell(print`Nothing is answered. ${keysText(open)}`);
  }

  async #edit(open: OpenApproval): Promise<void> {
    const before = editable(open.request.inputJson);
    try {
      const inputJson = (await editedText("input.json", before)).trim();
      if (inputJson === before.trim()) {
        this.#terminal.tell(print`Nothing was changed, and nothing is answered.`);
      } else if (!isJsonObject(inputJson)) {
        this.#terminal.tell(
          print`What was written is no JSON object, and nothing is answered. e edits again, from the beginning.`,
        );
      } else await this.#answer(open, { case: "allow", value: { inputJson } });
    } catch (error) {
      if (!(error instanceof EditorError)) throw error;
      this.#terminal.tell(
        print`${oneLine(error.message, MESSAGE_CHARACTERS)}; nothing is answered.`,
      );
    }
  }

  async #answer({ event, request }: OpenApproval, decision: Decision): Promise<void> {
    const { approvalId } = request;
    try {
      await this.#client.resolveApproval({ turnId: event.turnId, approvalId, decision });
    } catch (error) {
      this.#terminal.tell(print`It was not answered: ${failureText(error)}`);
      // Refused for good. The event that says how it was decided, if it was, is on its way.
      if (!isRefusal(error)) return;
    }
    // The keys are not for what is decided, though the event that says so has not come yet.
    this.#waiting.splice(0, 1);
    this.#isAsking = false;
    this.#offer();
  }
}

function keysText({ request }: OpenApproval): Printable {
  if (request.truncated) return print`Press d to deny it.`;
  if (isShownWhole(request)) return print`Press a to allow it, d to deny it, e to edit it.`;
  return print`Press d to deny it, e to see all of it and edit it.`;
}

/** Laid out for people, where it stays the same to whoever reads it. */
function editable(inputJson: string): string {
  try {
    const input: unknown = JSON.parse(inputJson);
    if (JSON.stringify(input) === inputJson) return `${JSON.stringify(input, undefined, 2)}\n`;
  } catch {
    // As it is, then.
  }
  return `${inputJson}\n`;
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
