import type { Log } from "../log.ts";
import type { Means } from "./caller.ts";

/** A request that a process of an agent made, and that was refused for it. */
export interface AgentAttempt {
  /** What the process was started as. Undefined: it cannot be told. */
  readonly processId: string | undefined;
  readonly address: string;
  /** Whose credential it showed, which was good. Undefined: it showed none. */
  readonly principal?: string;
  /** By which means that would have been told. Undefined: by none. */
  readonly means?: Means;
  /** What the token is named by. Undefined: it was none of the tokens file. */
  readonly tokenId?: string;
}

/** The turn that an attempt was made in. */
export interface AttemptTurn {
  readonly sessionId: string;
  readonly turnId: string;
}

/** Attempts of a kind: how many there were since a time. */
export interface CountedAttempts {
  /** One of them. */
  readonly attempt: AgentAttempt;
  /** Undefined: it cannot be told, or there are too many to tell them apart. */
  readonly turn: AttemptTurn | undefined;
  /** In ISO 8601. */
  readonly since: string;
  count: number;
}

export interface AgentAttemptsOptions {
  /** The turn for which a process was started that runs. */
  readonly turnOf: (processId: string) => AttemptTurn | undefined;
  /** Takes the first of a kind at once, and how many followed it a minute later. */
  readonly note: (counted: CountedAttempts) => void;
  readonly log: Log;
}

const WINDOW_MS = 60_000;
/** So many kinds are told apart in a window; the others are one kind together. */
const MOST_KINDS = 64;
const OTHERS: AgentAttempt = { processId: undefined, address: "others" };

/**
 * Requests of agents, counted by turn, address and credential. The first of a kind is told at once, to the log too: a credential
 * that an agent has got hold of is to be known of before its turn is over. Those that follow it within a minute are told
 * together.
 */
export class AgentAttempts {
  readonly #options: AgentAttemptsOptions;
  readonly #counted = new Map<string, CountedAttempts>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AgentAttemptsOptions) {
    this.#options = options;
  }

  /** There was one. */
  readonly count = (made: AgentAttempt): void => {
    const madeIn = made.processId === undefined ? undefined : this.#options.turnOf(made.processId);
    const isTold = this.#counted.has(keyOf(made, madeIn)) || this.#counted.size < MOST_KINDS;
    const [attempt, turn] = isTold ? [made, madeIn] : [OTHERS, undefined];
    const key = keyOf(attempt, turn);
    const known = this.#counted.get(key);
    if (known !== undefined) known.count++;
    else {
      const first = { attempt, turn, since: new Date().toISOString() };
      this.#counted.set(key, { ...first, count: 0 });
      this.#tell({ ...first, count: 1 });
    }
    this.#timer ??= setTimeout(this.#tellFurther, WINDOW_MS).unref();
  };

  readonly #tellFurther = (): void => {
    this.#timer = undefined;
    for (const counted of this.#counted.values()) if (counted.count > 0) this.#tell(counted);
    this.#counted.clear();
  };

  #tell(counted: CountedAttempts): void {
    const { attempt, turn, count } = counted;
    const { address: from, principal, means, tokenId } = attempt;
    const shown = { principal, means, tokenId };
    const why = "a process of an agent made it";
    const fields = { reason: "AGENT_NOT_ALLOWED", why, from, ...turn, ...shown, count };
    this.#options.log.warn("a request was refused", fields);
    this.#options.note(counted);
  }
}

function keyOf({ address, tokenId, principal, means }: AgentAttempt, turn?: AttemptTurn): string {
  return JSON.stringify([turn?.turnId, address, principal, means, tokenId]);
}
