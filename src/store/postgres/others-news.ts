import type { Log } from "../../log.ts";
import type { LocalChanges, Outside } from "../local-changes.ts";
import type { ChangedTurn, NewsMark } from "./news-table.ts";
import type { Primary } from "./primary.ts";
import { isTurnId } from "./turn-id.ts";

/** How often it is looked for what other servers have written. */
const LOOK_MS = 200;
/** The same, while the database cannot be read. */
const AGAIN_MS = 1000;

/**
 * Looks for what other servers have written, for all who listen together, and calls those whom it concerns. NOTIFY would have
 * all commits of the database wait for each other; this costs one row five times a second, while somebody listens.
 *
 * 1. Who listened before something was written is called behind it: what is there is held against what was there when it was
 *    looked at last, and at the first look everybody is called.
 * 2. A look that fails is made again, against the same.
 */
export class OthersNews implements Outside {
  readonly #primary: Primary;
  readonly #log: Log;
  #changes: LocalChanges | undefined;
  /** As it was looked at last. Undefined: it is not known what has come since somebody listens. */
  #mark: NewsMark | undefined;
  /** The last sequences of the turns that are listened to, as above. */
  #sequences: ReadonlyMap<string, number> = new Map();
  #looking: Promise<void> | undefined;
  #isDue = false;
  #isFailing = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(primary: Primary, log: Log) {
    this.#primary = primary;
    this.#log = log;
  }

  listened(changes: LocalChanges): void {
    if (this.#isClosed) return;
    this.#changes = changes;
    this.#lookNow();
  }

  /** Nothing is looked for any more. */
  close(): void {
    this.#isClosed = true;
    this.unlistened();
  }

  unlistened(): void {
    this.#changes = undefined;
    this.#mark = undefined;
    this.#sequences = new Map();
    clearTimeout(this.#timer);
  }

  /** Looks now, and again when that is due. */
  #lookNow(): void {
    if (this.#changes === undefined) return;
    this.#isDue = true;
    clearTimeout(this.#timer);
    this.#looking ??= this.#lookAll();
  }

  async #lookAll(): Promise<void> {
    while (this.#isDue && this.#changes !== undefined) {
      this.#isDue = false;
      try {
        await this.#look(this.#changes);
        this.#isFailing = false;
      } catch (error) {
        if (!this.#isFailing)
          this.#log.warn("what other servers have written cannot be looked for", { error });
        this.#isFailing = true;
      }
    }
    this.#looking = undefined;
    if (this.#changes === undefined) return;
    const again = () => this.#lookNow();
    this.#timer = setTimeout(again, this.#isFailing ? AGAIN_MS : LOOK_MS).unref();
  }

  async #look(changes: LocalChanges): Promise<void> {
    const [before, known] = [this.#mark, this.#sequences];
    const heard = changes.heardTurns().filter(isTurnId);
    const { mark, turns, sequences } = await this.#primary.read(async ({ news }) => {
      const mark = await news.mark();
      const isNew = before !== undefined && mark.cursor !== before.cursor;
      const turns = isNew ? await news.changedAfter(before.cursor) : [];
      const sequences = heard.length > 0 ? await news.lastSequences(heard) : new Map();
      return { mark, turns, sequences };
    });
    // Nobody listens any more, or others who were not there then.
    if (this.#changes !== changes || this.#mark !== before) return;
    this.#mark = mark;
    this.#sequences = sequences;
    if (before?.sessionNews !== mark.sessionNews) return changes.tellAll(); // 1.
    if (mark.cursor !== before.cursor) changes.tellTurns();
    const grown = heard.filter((turnId) => sequences.get(turnId) !== known.get(turnId));
    for (const turnId of new Set([...grown, ...turns.map((turn) => turn.turnId)])) {
      changes.tellTurn(turnId);
    }
    for (const sessionKey of sessionsOf(turns)) changes.tellSession(sessionKey);
  }
}

function sessionsOf(turns: readonly ChangedTurn[]): Set<string> {
  return new Set(turns.map(({ sessionKey }) => sessionKey));
}
