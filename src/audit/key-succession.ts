import { type AuditStatement, isSigned } from "./head.ts";

/**
 * The keys that a server had, as whoever checks its chain knows them, and which of them is in force at a record. A chain says
 * of itself where a key begins: the record of a server's start names its key, and so does one that a removal was signed for.
 *
 * 1. A key vouches for nothing from where the next one begins. Before a chain names one, in records of older servers, any may.
 * 2. Keys follow each other as they were given, and the last that the chain names is the last of them.
 */
export class KeySuccession {
  readonly #keys: readonly string[];
  /** The place of the key in force among them. -1: the chain has named none of them yet. */
  #at = -1;
  /** The last that the chain named. */
  #named: { readonly key: string; readonly sequence: number } | undefined;

  /** @param keys - As `rawKey` gives them, the oldest first. */
  constructor(keys: readonly string[]) {
    this.#keys = keys;
  }

  /** A record names the key that is in force from it on. @returns What is wrong with that. */
  begin(key: string, sequence: number): string | undefined {
    const at = this.#keys.indexOf(key, Math.max(this.#at, 0));
    this.#named = { key, sequence };
    if (at !== -1) this.#at = at;
    else if (this.#keys.includes(key)) {
      return `it names a key that another one has followed: ${key}. Keys are given with the oldest first`;
    }
    // What older keys vouched for may not be asked about.
    else if (this.#at !== -1) return `it names a key that is not among those given: ${key}`;
    return undefined;
  }

  /** @returns Why a statement does not count, whatever record it is of or in. */
  lackOf(statement: AuditStatement): string | undefined {
    return this.#keys.some((key) => isSigned(statement, key))
      ? undefined
      : "was not signed by the key";
  }

  /** @returns Why a statement does not count at a record that was taken last. */
  lackNow(statement: AuditStatement): string | undefined {
    const lack = this.lackOf(statement);
    if (lack !== undefined) return lack;
    const isLeft = this.#keys.indexOf(statement.key, Math.max(this.#at, 0)) !== -1;
    return isLeft ? undefined : "was signed by a key that another one had followed by then"; // 1.
  }

  /** @returns Where the chain ends with another key than the last, and what is wrong. */
  end(): { readonly sequence: number; readonly why: string } | undefined {
    if (this.#named === undefined) return undefined;
    const { key, sequence } = this.#named;
    if (key === this.#keys.at(-1)) return undefined; // 2.
    return {
      sequence,
      why: `from it on the chain's key is ${key}, which is not the last that was given`,
    };
  }
}
