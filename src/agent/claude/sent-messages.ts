import { randomUUID } from "node:crypto";

/** The messages of one turn that were handed to the CLI: its prompt and what steered it; and which it has taken up. */
export class SentMessages {
  #promptUuid = "";
  #promptWritten: boolean;
  /** Not taken up yet, oldest first. */
  readonly #waiting = new Set<string>();
  readonly #own = new Set<string>();
  /** Lines behind a prompt that may yet have to be handed to another process. */
  #kept: string[] = [];
  #echoes = false;

  /** @param hasPrompt - Further messages wait until it is written; a turn without one has nothing to wait for. */
  constructor(hasPrompt: boolean) {
    this.#promptWritten = !hasPrompt;
  }

  /** The prompt is about to be handed over, perhaps once more. */
  beginPrompt(): void {
    this.#waiting.delete(this.#promptUuid);
    this.#promptUuid = randomUUID();
    this.#waiting.add(this.#promptUuid);
    this.#own.add(this.#promptUuid);
    this.#promptWritten = false;
  }

  /** Whether a message is one of these, taken up or not. */
  isOwn(uuid: string): boolean {
    return this.#own.has(uuid);
  }

  /** Whether the turn has one: nobody asked for the agent's own work. */
  get hasPrompt(): boolean {
    return this.#promptUuid !== "";
  }

  get promptUuid(): string {
    return this.#promptUuid;
  }

  /** Whether further messages can be written. */
  get promptWritten(): boolean {
    return this.#promptWritten;
  }

  /** Whether the prompt has not been taken up, as far as the CLI tells. */
  get promptWaits(): boolean {
    return this.#waiting.has(this.#promptUuid);
  }

  /** Whether the CLI tells at all. */
  get echoes(): boolean {
    return this.#echoes;
  }

  /** Those besides the prompt that were not taken up. */
  get steersWaiting(): string[] {
    return this.waiting.filter((uuid) => uuid !== this.#promptUuid);
  }

  /** Those that were not taken up, oldest first. */
  get waiting(): string[] {
    return [...this.#waiting];
  }

  /** A further message; answers what it is called. */
  add(): string {
    const uuid = randomUUID();
    this.#waiting.add(uuid);
    this.#own.add(uuid);
    return uuid;
  }

  /** Keeps a line for as long as the prompt is not known to be taken up. */
  keep(line: string): void {
    if (!this.#promptWritten || this.promptWaits) this.#kept.push(line);
  }

  /** The prompt was written, perhaps to another process than before. Answers the lines that come behind it. */
  promptWasWritten(): string {
    this.#promptWritten = true;
    return this.#kept.join("");
  }

  /** A message was taken up. Undefined: some message, probably. Answers whether it was one of these, for certain. */
  takenUp(uuid: string | undefined): boolean {
    if (uuid === undefined) {
      const [oldest] = this.#waiting;
      if (oldest !== undefined) this.#waiting.delete(oldest);
      return false;
    }
    this.#echoes ||= this.#own.has(uuid);
    if (uuid === this.#promptUuid) this.#kept = [];
    return this.#waiting.delete(uuid);
  }
}
