import type { BreakglassClient, ConnectionChange } from "#client";
import { isLive } from "#client/turn-state";
import { type TurnEvent, TurnEventSchema, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { ApprovalKeys } from "./approval-keys.ts";
import { type OpenApproval, openApprovalText } from "./approval-text.ts";
import type { CommandForm } from "./command-form.ts";
import { connectionText } from "./connection-text.ts";
import type { EventLook } from "./event-look.ts";
import { jsonLine } from "./json-line.ts";
import { OpenApprovals } from "./open-approvals.ts";
import type { Terminal } from "./terminal.ts";
import { type Printable, print } from "./terminal-text.ts";
import { stateWord } from "./turn-outcome.ts";
import { WrittenText } from "./written-text.ts";

/** How a turn is printed. */
export interface PrintOptions {
  /** One TurnEvent in proto JSON a line, checkpoints included, instead of prose. */
  readonly json: boolean;
  /** Inputs and outputs are shown whole. */
  readonly full: boolean;
  /** Makes the commands that are printed. */
  readonly command: CommandForm;
}

/** Prints the events of one turn as they come, and has what waits for an approval answered by keys where there are any. */
export class TurnPrinter implements Disposable {
  readonly #terminal: Terminal;
  readonly #options: PrintOptions;
  readonly #look: EventLook;
  readonly #written: WrittenText;
  readonly #open = new OpenApprovals();
  /** Undefined: nobody sits at it. */
  readonly #keys: ApprovalKeys | undefined;
  /** Where the turn stood by the event before. */
  #state: TurnState = TurnState.UNSPECIFIED;

  constructor(client: BreakglassClient, options: PrintOptions, terminal: Terminal) {
    this.#terminal = terminal;
    this.#options = options;
    const { style, wrap } = terminal;
    this.#look = { style, wrap, full: options.full };
    this.#written = new WrittenText(this.#look);
    const { stdin } = process;
    const isAttended = stdin.isTTY && !stdin.readableEnded && terminal.isTerminal && !options.json;
    if (isAttended) {
      const show = (open: OpenApproval, keys: Printable) => void this.#show(open, keys);
      this.#keys = new ApprovalKeys(client, terminal, stdin, show);
    }
  }

  /** Resolves when more can be printed. */
  async next(event: TurnEvent): Promise<void> {
    await this.#keys?.quiet;
    if (this.#options.json) return this.#terminal.write(jsonLine(TurnEventSchema, event));
    await this.#terminal.write(this.#proseOf(event));
    for (const open of this.#open.next(event)) {
      if (this.#keys === undefined) await this.#show(open);
      else this.#keys.add(open);
    }
    this.#keys?.settle((approvalId) => this.#open.has(approvalId));
  }

  /** Tells what became of the connection. */
  tell(change: ConnectionChange): void {
    if (change.state !== "back") this.#open.lost();
    void this.#terminal.write(this.#written.endLine());
    this.#terminal.tell(connectionText(change));
  }

  /** Ends the line that is open. */
  async end(): Promise<void> {
    await this.#terminal.write(this.#written.endLine());
  }

  [Symbol.dispose](): void {
    this.#keys?.[Symbol.dispose]();
  }

  #show(open: OpenApproval, keys?: Printable): Promise<void> {
    const text = openApprovalText(open, this.#look, this.#options.command, keys);
    return this.#terminal.write(print`${this.#written.endLine()}${text}`);
  }

  #proseOf(event: TurnEvent): Printable {
    const before = this.#state;
    if (event.kind.case !== "checkpoint") {
      this.#state = TurnState.RUNNING;
      // What is open is shown whole, with how to answer it.
      return this.#open.isOpenAtOnce(event) ? print`` : this.#written.next(event);
    }
    const { state } = event.kind.value;
    this.#state = state;
    if (!isLive(state)) return print`The turn had ended: ${stateWord(state)}\n`;
    const isNews = state === TurnState.QUEUED && before !== state;
    return isNews ? print`The turn waits for the agent's own to end.\n` : print``;
  }
}
