import { canonical } from "./canonical.ts";
import type { AuditFacts } from "./entry.ts";
import { type AuditHead, type AuditStatement, isHead, isRemoval } from "./head.ts";
import { KeySuccession } from "./key-succession.ts";
import { AUDIT_VERSION, type AuditRecord, hashOf, NO_HASH } from "./record.ts";

/** Where a chain is wrong for the first time. */
export class ChainFault extends Error {
  override readonly name = "ChainFault";
  /** The place of the record among those that were read, from 1. */
  readonly place: number;
  /** The sequence that the record there should have. */
  readonly sequence: number;

  constructor(place: number, sequence: number, why: string) {
    super(why);
    this.place = place;
    this.sequence = sequence;
  }
}

/** What a chain is checked against. */
export interface CheckedAgainst {
  /** Heads that were kept elsewhere. */
  readonly heads?: readonly AuditHead[];
  /** The server's public keys, as `rawKey` gives them, the oldest first. Undefined: signatures are not looked at. */
  readonly keys?: readonly string[] | undefined;
}

/** What was found of a chain in which nothing is wrong. */
export interface CheckedChain {
  /** Undefined: there is no record. */
  readonly chain: string | undefined;
  readonly first: number;
  readonly last: number;
  /** The hash of the last record. */
  readonly hash: string;
  /**
   * What says that the records before the first were removed: one that was signed for that, or only the head that a server of
   * before put in its place. Undefined: there were none.
   */
  readonly removal: "removal" | "head" | undefined;
  /** The highest sequence that a head was signed for: what came behind it may have been cut off. 0: none. */
  readonly signedUpTo: number;
}

/**
 * Checks a chain record by record, in the order in which they are kept.
 *
 * 1. A line is the one text of its record, its hash that of all its other members, and it names the hash, and follows the
 *    sequence, of the one before.
 * 2. The first is number 1, or a later record says which were removed before it (`records_removed`), by a signature that
 *    was made for that. A head in its place counts only where no server that signs removals has written yet, and, with a key, where a
 *    head that was kept vouches for the record.
 * 3. Each head names the hash of the record with its sequence; none is beyond the last.
 * 4. What is signed was signed by a key that was in force: see `KeySuccession`.
 */
export class ChainCheck {
  readonly #heads: readonly AuditHead[];
  readonly #bySequence: ReadonlyMap<number, readonly AuditHead[]>;
  readonly #keys: KeySuccession | undefined;
  #first: AuditRecord | undefined;
  #last: AuditRecord | undefined;
  /** The sequences of the records that name what was removed before the first, by what they name it with. */
  readonly #removals = new Map<AuditStatement["kind"], number>();
  /** A server that signs removals has written. */
  #signsRemovals = false;
  #place = 0;
  /** The highest sequence whose record is known to be what was signed. */
  #signedUpTo = 0;

  /** @throws ChainFault where a head is not signed by the key. */
  constructor({ heads = [], keys }: CheckedAgainst = {}) {
    this.#keys = keys && new KeySuccession(keys);
    this.#heads = heads.toSorted((one, other) => one.sequence - other.sequence);
    this.#bySequence = Map.groupBy(heads, ({ sequence }) => sequence);
    for (const head of heads) {
      const lack = this.#keys?.lackOf(head);
      if (lack === undefined) continue;
      throw new ChainFault(0, head.sequence, `a head ${lack}: ${head.signature}`);
    }
  }

  /** Takes the next record's line. @throws ChainFault where it is wrong. */
  take(line: string): AuditRecord {
    this.#place++;
    const record = this.#read(line);
    this.#follow(record);
    this.#first ??= record;
    this.#learnKey(record);
    this.#compare(record);
    this.#learnRemoval(record);
    this.#last = record;
    return record;
  }

  /** Takes the end. @throws ChainFault where what is there is not all. */
  end(): CheckedChain {
    const last = this.#last?.sequence ?? 0;
    const keys = this.#keys?.end();
    if (keys !== undefined) throw new ChainFault(0, keys.sequence, keys.why); // 4.
    const ours = this.#heads.filter(({ chain }) => chain === this.#last?.chain);
    const newest = ours.at(-1);
    if (this.#heads.length > 0 && newest === undefined) {
      throw new ChainFault(0, 1, "no head is one of this chain: it is another one");
    }
    if (newest !== undefined && newest.sequence > last) {
      const why = `it is missing: a head was signed for record ${newest.sequence}, and record ${last} is the last`;
      throw new ChainFault(this.#place + 1, last + 1, why);
    }
    return {
      chain: this.#last?.chain,
      first: this.#first?.sequence ?? 0,
      removal: this.#beginning(),
      last,
      hash: this.#last?.hash ?? NO_HASH,
      signedUpTo: newest?.sequence ?? 0,
    };
  }

  #read(line: string): AuditRecord {
    let record: AuditRecord;
    let text: string;
    try {
      record = JSON.parse(line) as AuditRecord;
      text = canonical(record as unknown as AuditFacts);
    } catch {
      throw this.#fault("it is no record: its line is not the JSON that a server writes");
    }
    // 1.
    if (text !== line) throw this.#fault("its line is not the one text of what it says");
    if (!isRecord(record)) throw this.#fault(`it is no record of version ${AUDIT_VERSION}`);
    const expected = hashOf(record as unknown as AuditFacts);
    if (record.hash !== expected)
      throw this.#fault("it was changed: its hash is not that of what it says");
    return record;
  }

  #follow(record: AuditRecord): void {
    const last = this.#last;
    if (last === undefined) return;
    const next = last.sequence + 1;
    if (record.chain !== last.chain) throw this.#fault(`it is of another chain, ${record.chain}`);
    if (record.sequence > next) {
      throw this.#fault(`it is missing: record ${record.sequence} is in its place`);
    }
    if (record.sequence < next) throw this.#fault(`record ${record.sequence} is in its place`);
    if (record.previous !== last.hash) {
      throw this.#fault("it does not follow the record before it, which was changed or put there");
    }
  }

  /** 3. */
  #compare({ chain, sequence, hash }: AuditRecord): void {
    for (const head of this.#bySequence.get(sequence) ?? []) {
      if (head.chain !== chain) continue;
      const lack = this.#keys?.lackNow(head);
      if (lack !== undefined) throw this.#fault(`the head of it ${lack}`); // 4.
      if (head.hash !== hash) {
        const from = this.#signedUpTo + 1;
        const which = from === sequence ? "it" : `it, or one from record ${from} on,`;
        throw this.#fault(`${which} is not what was there when a head was signed for it`);
      }
      this.#signedUpTo = sequence;
    }
  }

  /** 4. */
  #learnKey({ kind, sequence, facts }: AuditRecord): void {
    if (kind !== "server_started" || typeof facts?.key !== "string") return;
    this.#signsRemovals = true;
    this.#begin(facts.key, sequence);
  }

  #begin(key: string, sequence: number): void {
    const wrong = this.#keys?.begin(key, sequence);
    if (wrong !== undefined) throw this.#fault(wrong);
  }

  /** 2. */
  #learnRemoval({ kind, sequence, facts }: AuditRecord): void {
    if (kind !== "records_removed") return;
    const { removal, head } = (facts ?? {}) as Record<string, Partial<AuditStatement> | undefined>;
    const statement = removal ?? head;
    if (statement === undefined || !this.#saysRemoval(statement)) {
      throw this.#fault("it names no removal that was signed");
    }
    const lack = this.#keys?.lackNow(statement);
    if (lack !== undefined) throw this.#fault(`what it says was removed ${lack}`);
    if (statement.kind === "removal") {
      this.#signsRemovals = true;
      this.#begin(statement.key, sequence);
    }
    const { chain, sequence: at, previous } = this.#first!;
    const isOurs = statement.chain === chain && statement.sequence === at - 1;
    if (isOurs && statement.hash === previous) this.#removals.set(statement.kind, sequence);
  }

  /** Servers before put a head there. Since one signs removals none does, and heads are of another version. */
  #saysRemoval(statement: Partial<AuditStatement>): statement is AuditStatement {
    if (isRemoval(statement)) return true;
    return isHead(statement) && statement.version === 1 && !this.#signsRemovals;
  }

  /** 2. @returns What says where the chain begins. Undefined: nothing has to. @throws ChainFault where nothing does. */
  #beginning(): AuditStatement["kind"] | undefined {
    if (this.#first === undefined) return undefined;
    const { sequence, previous } = this.#first;
    if (sequence === 1 && previous === NO_HASH) return undefined;
    if (this.#removals.has("removal") && sequence > 1) return "removal";
    const saidAt = this.#removals.get("head");
    if (saidAt === undefined || sequence === 1) {
      const why = "the records before it are missing, and none says that they were removed";
      throw new ChainFault(1, 1, why);
    }
    if (this.#keys === undefined || saidAt <= this.#signedUpTo) return "head";
    const why = `the records before it are missing: record ${saidAt} has only a head to show for that, as servers before wrote it, which counts with a kept head of record ${saidAt} or a later one`;
    throw new ChainFault(1, 1, why);
  }

  #fault(why: string): ChainFault {
    const first = this.#first?.sequence ?? 1;
    const sequence = this.#last === undefined ? first : this.#last.sequence + 1;
    return new ChainFault(this.#place, sequence, why);
  }
}

const HEX = /^[0-9a-f]{64}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function isRecord(record: Partial<AuditRecord>): record is AuditRecord {
  const { version, chain, sequence, previous, hash, time, kind } = record;
  const isPlace = Number.isSafeInteger(sequence) && Number(sequence) > 0;
  const hashes = HEX.test(String(previous)) && HEX.test(String(hash));
  const texts = typeof chain === "string" && typeof kind === "string" && TIME.test(String(time));
  return version === AUDIT_VERSION && isPlace && hashes && texts;
}
