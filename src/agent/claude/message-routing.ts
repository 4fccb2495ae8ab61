import type { PendingRequests } from "../pending-requests.ts";
import type { BackgroundTasks } from "./background-tasks.ts";
import {
  type ControlAnswer,
  echoedMessage,
  isOutOfTurn,
  readAnswer,
  startedMessage,
  withdrawnRequest,
} from "./control-messages.ts";
import type { Message } from "./line.ts";
import type { LineContent } from "./line-content.ts";
import * as messages from "./messages.ts";
import type { TurnReader } from "./turn-reader.ts";

/** Whom messages go to. */
interface Destinations {
  /** Who reads now: a turn, or what keeps it for the next one. */
  reader(): TurnReader;
  /** The turn that is running, or ran last. Empty: none has. */
  turnId(): string;
  readonly tasks: BackgroundTasks;
  /** What the process was asked. */
  readonly requests: PendingRequests<ControlAnswer>;
}

/**
 * Says what each message of one process is: the answer to a request of ours, a question, the echo of what we wrote, or what
 * the agent does, within a turn that it has begun or without one.
 */
export class MessageRouting {
  readonly #to: Destinations;
  #turnsBegun = 0;
  #isInTurn = false;

  constructor(to: Destinations) {
    this.#to = to;
  }

  /** How many turns it has begun, also by itself. */
  get turnsBegun(): number {
    return this.#turnsBegun;
  }

  /** Whether it has begun a turn whose result has not come. */
  get isInTurn(): boolean {
    return this.#isInTurn;
  }

  route(message: Message, line: LineContent): void {
    switch (message.type) {
      case "control_response":
        this.#answered(message);
        break;
      case "control_request":
        this.#to.reader().asked(message, line);
        break;
      case "control_cancel_request":
        this.#withdrawn(message);
        break;
      case "command_lifecycle":
        this.#takenUp(startedMessage(message));
        break;
      default:
        // Each tool's answer is a `user` message too.
        if (this.#takenUp(echoedMessage(message))) return;
        if (message.type === "system") this.#note(message);
        this.#give(message, line);
    }
  }

  #note(message: Message): void {
    this.#to.tasks.note(message, this.#to.turnId());
    if (message.subtype !== "init") return;
    this.#turnsBegun++;
    this.#isInTurn = true;
    this.#to.tasks.version = messages.init.safeParse(message).data?.claude_code_version ?? "";
    this.#to.reader().cameUp();
  }

  #give(message: Message, line: LineContent): void {
    // The first turn of a process may do without an init: the CLI's refusals do.
    const strayed = !this.#isInTurn && this.#turnsBegun > 0 && isOutOfTurn(message);
    if (message.type === "result") this.#isInTurn = false;
    if (strayed) this.#to.reader().strayed(message, line);
    else this.#to.reader().message(message, line);
  }

  #answered(message: Message): void {
    const { id, answer } = readAnswer(message) ?? {};
    if (id !== undefined) this.#to.requests.answer(id, answer);
  }

  #withdrawn(message: Message): void {
    const id = withdrawnRequest(message);
    if (id !== undefined) this.#to.reader().withdrawn(id);
  }

  /** Answers whether it tells of one of our messages. */
  #takenUp(uuid: string | undefined): boolean {
    if (uuid !== undefined) this.#to.reader().takenUp(uuid);
    return uuid !== undefined;
  }
}
