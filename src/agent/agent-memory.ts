import { MemoryBudget } from "../stream/memory-budget.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/*
 * A byte of a line costs up to three while it is looked at (as bytes, as text, as what was parsed): with these limits the
 * worst that 16 processes were found to do adds less than 300 MB to the server.
 */

/** What is kept until somebody wants it: between turns, for an approval. */
const KEPT_BYTES = 32 * MIB;
/** The longest lines beside that: two at once. */
const LINES = 2;
/** A process has so much whatever the others do, so that none of them can cost it a usual line. */
const RESERVED_BYTES = MIB;
/** What of a process's lines a turn is still at, beside the line that it prints. */
const GIVEN_BYTES = 2 * MIB;
/** What a process may leave unread of the answers to what it asks. They are some 200 bytes each. */
const REPLIES_BYTES = MIB;
/** For inputs that wait for an approval. An input is at most as large as an event; most are below 1 KiB. */
const QUESTIONS = { bytes: 8 * MIB, reserved: MIB };
/** What a process prints between turns may hold until the next one; more than background tasks are known to give. */
const IDLE = { bytes: 4 * MIB, reserved: 256 * KIB };
/** For what sessions whose process has ended are told with their next turn, all of them together. */
const LEFT_BYTES = 16 * MIB;

/** An id that is longer is none: the longest that an agent was seen to give has 36 characters. */
export const MAX_ID_LENGTH = 200;

/** What is counted on behalf of one process. */
export interface ProcessMemory {
  /** The line that it is printing, and what was made of the ones before until its turn has dealt with it. */
  readonly lines: MemoryBudget;
  /** Answers to what it asked that it has not read. */
  readonly replies: MemoryBudget;
  /** What it printed between turns. */
  readonly idle: MemoryBudget;
  /** What it asked that waits for an answer. */
  readonly questions: MemoryBudget;
  /** Gives all of it back. Idempotent. */
  close(): void;
}

/** The memory for all that is kept on behalf of the processes of one server. */
export class AgentMemory {
  readonly #all: MemoryBudget;
  readonly #kept: MemoryBudget;
  readonly #lineBytes: number;
  /** For what sessions have not been told of whose process has ended. */
  readonly left: MemoryBudget;

  /** @param maxLineBytes - The longest line that is read: there is room for one, whatever is configured. */
  constructor(maxLineBytes: number) {
    this.#lineBytes = maxLineBytes;
    this.#all = new MemoryBudget(LINES * maxLineBytes + KEPT_BYTES);
    this.#kept = this.#all.share({ bytes: KEPT_BYTES });
    this.left = this.#kept.share({ bytes: LEFT_BYTES });
  }

  /** What all of it comes to now, in bytes, without what is reserved. */
  get taken(): number {
    return this.#all.taken;
  }

  /** The shares of a process. Whoever starts it closes them. */
  process(): ProcessMemory {
    const lines = this.#all.share({
      bytes: this.#lineBytes + GIVEN_BYTES,
      reserved: RESERVED_BYTES,
    });
    const replies = this.#kept.share({ bytes: REPLIES_BYTES, reserved: REPLIES_BYTES });
    const idle = this.#kept.share(IDLE);
    const questions = this.#kept.share(QUESTIONS);
    const shares = [lines, replies, idle, questions];
    return {
      ...{ lines, replies, idle, questions },
      close: () => {
        for (const share of shares) share.close();
      },
    };
  }
}
